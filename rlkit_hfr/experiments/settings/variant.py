"""A run's complete settings (rlkit's "variant"): defaults, preset, JSON file and command line, checked key by key."""
from __future__ import annotations

import dataclasses
import inspect
import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from env_wrappers import make_env
from rlkit_hfr import RELABELERS, __version__, attach
from rlkit_hfr.experiments.settings.presets import SAME_TASKS, preset
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.relabelers import did_you_mean, make_relabeler, relabeler_options

Variant = dict[str, Any]

_ALGO_KEYS = tuple(field.name for field in dataclasses.fields(PEARLConfig))
_ATTACH_KEYS = tuple(
    p.name for p in inspect.signature(attach).parameters.values() if p.kind is p.KEYWORD_ONLY and p.name not in ("host", "seed")
)
_RELABELER_KEYS = tuple(dict.fromkeys(key for cls in RELABELERS.values() for key in relabeler_options(cls)))
_TOP_KEYS = ("env_name", "n_train_tasks", "n_eval_tasks", "latent_size", "net_size", "pixel_encoder", "relabeler")

# Where each flat key lives in the variant.
SECTIONS: dict[str, tuple[str, ...]] = {
    "algo_params": _ALGO_KEYS,
    "relabel_params": _ATTACH_KEYS + _RELABELER_KEYS,
    "env_params": ("n_tasks", "task_seed", "start", "obs_dim", "dynamics_range", "renderer"),
}

# Keys of oyster's and HFR's files that have one possible value here, or none that matters to a run.
_FIXED = {"recurrent": False, "update_post_train": 1, "path_to_weights": None, "randomize_tasks": True,
          "sparse": True}  # fmt: skip
_WITHOUT_EFFECT = ("util_params", "dump_eval_paths", "log_success_rate", "render_eval_paths", "save_replay_buffer", "save_algorithm")
_HFR_METHODS = {"hfr-q": "hfr", "hfr-bellman": "hfr-bellman", "hipi": "hipi", "random": "random"}


def default_variant() -> Variant:
    """PEARL's defaults and no environment."""
    algo = {field.name: field.default for field in dataclasses.fields(PEARLConfig)}
    tops: Variant = dict(env_name=None, n_train_tasks=2, n_eval_tasks=2, latent_size=5, net_size=300, pixel_encoder="flat", relabeler="hfr")
    return {**tops, "env_params": {}, "algo_params": algo, "relabel_params": {}}


def set_value(variant: Variant, key: str, value: Any) -> None:
    """Set ``key`` or ``section.key`` in place; an unknown one raises ValueError with the nearest that exists."""
    section, _, name = key.rpartition(".")
    if not section and name in _TOP_KEYS:
        variant[name] = value
        return
    for candidate, names in SECTIONS.items():
        if name in names and section in ("", candidate):
            variant[candidate][name] = value
            return
    known = [*_TOP_KEYS, *(name for names in SECTIONS.values() for name in names)]
    raise ValueError(f"unknown setting {key!r}{did_you_mean(name, known)}; known: {', '.join(sorted(known))}")


def parse_assignment(text: str) -> tuple[str, Any]:
    """``key=value`` with a JSON value, or a bare word for a string."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"--set takes key=value, got {text!r}")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, {"True": True, "False": False, "None": None}.get(value, value)


def load_config(path: Path) -> Variant:
    """Read a JSON file with settings: a variant of ours, or one of oyster's or HFR's configs."""
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"can't read the config {path}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold one JSON object, got {type(content).__name__}")
    return content


def apply_config(variant: Variant, content: Mapping[str, Any], source: str = "the config") -> None:
    """Apply a loaded file to `variant`, in place."""
    algo = content.get("algo_params")
    mini = algo.get("embedding_mini_batch_size") if isinstance(algo, Mapping) else None
    for key, value in content.items():
        if key in ("preset", "seed", "versions", "snapshots", "host") or key in _WITHOUT_EFFECT:
            continue
        if isinstance(value, Mapping):
            if key not in SECTIONS:
                raise ValueError(f"unknown section {key!r} in {source}{did_you_mean(key, SECTIONS)}; known: {', '.join(SECTIONS)}")
            for name, item in value.items():
                _apply_entry(variant, key, name, item, source)
        else:
            _apply_entry(variant, "", key, value, source)
    expected = variant["algo_params"]["embedding_batch_size"]
    if mini is not None and mini != expected:
        raise ValueError(f"embedding_mini_batch_size in {source} must equal embedding_batch_size ({expected}), got {mini!r}")


def _apply_entry(variant: Variant, section: str, name: str, value: Any, source: str) -> None:
    if name in _WITHOUT_EFFECT or name == "embedding_mini_batch_size":
        return
    if name in _FIXED:
        if value != _FIXED[name]:
            raise ValueError(f"{name} in {source} must be {json.dumps(_FIXED[name])}, the only value supported, got {json.dumps(value)}")
    elif name == "relabel_method":
        if value not in _HFR_METHODS:
            raise ValueError(f"relabel_method in {source} must be one of {', '.join(_HFR_METHODS)}, got {value!r}")
        variant["relabeler"] = _HFR_METHODS[value]
    elif name == "utility_batch_size":
        variant["relabel_params"]["num_initial_states"] = value
    elif name == "use_learned_reward":
        variant["relabel_params"]["rewards"] = "learned" if value else None
    elif name == "use_softmax":
        variant["relabel_params"]["temperature"] = 1.0 if value else 0.0
    else:
        set_value(variant, f"{section}.{name}" if section else name, value)


def build_variant(
    env_name: str | None, relabeler: str | None, preset_name: str | None, config: Path | None, assignments: list[str], seed: int
) -> Variant:
    """Defaults, then the preset (the paper's, unless a config is given without one), then the config, then the command line."""
    variant = default_variant()
    content = load_config(config) if config else {}
    name = env_name or content.get("env_name")
    if name is None:
        raise ValueError("no environment: give --env NAME, or a config with env_name")
    if not isinstance(name, str):
        raise ValueError(f"env_name must be a name, got {name!r}")
    pairs = [parse_assignment(text) for text in assignments]
    if preset_name is None and not config:
        preset_name = "paper"
    from_preset: set[str] = set()
    if preset_name is not None:
        settings = preset(str(name), preset_name)
        for key, value in settings.items():
            set_value(variant, key, value)
        from_preset = set(settings)
    apply_config(variant, content, str(config))
    variant["env_name"] = name
    of_another = relabeler is not None and relabeler != variant["relabeler"]  # then the config's options are, too
    if relabeler is not None:
        variant["relabeler"] = relabeler
    for key, value in pairs:
        set_value(variant, key, value)
    given = {key.rpartition(".")[2] for key, _ in pairs}
    in_config = set(variant["relabel_params"]) - given - from_preset
    _finish(variant, (from_preset | in_config if of_another else from_preset - set(content.get("relabel_params", {}))) - given)
    return {**variant, "seed": seed, "preset": preset_name, "versions": versions()}


def _finish(variant: Variant, from_preset: set[str]) -> None:
    """Derive what follows from the rest and check what can be checked before anything is built."""
    for key in ("n_train_tasks", "n_eval_tasks", "latent_size", "net_size"):
        value = variant[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{key} must be a positive whole number, got {value!r}")
    PEARLConfig(**variant["algo_params"])
    for key in ("env_name", "relabeler"):
        if not isinstance(variant[key], str):
            raise ValueError(f"{key} must be a name, got {variant[key]!r}")
    for key, value in variant["env_params"].items():
        if key in ("n_tasks", "task_seed") and (isinstance(value, bool) or not isinstance(value, int) or value < (key == "n_tasks")):
            raise ValueError(f"{key} must be a whole number, got {value!r}")
    if variant["relabeler"] not in RELABELERS:
        name = variant["relabeler"]
        raise ValueError(f"unknown relabeler {name!r}{did_you_mean(str(name), RELABELERS)}; known: {', '.join(RELABELERS)}")
    # A preset names the options of every relabeler; those that are not this one's say nothing.
    takes = {*_ATTACH_KEYS, *relabeler_options(RELABELERS[variant["relabeler"]])}
    for key in list(variant["relabel_params"]):
        if key not in takes and key in from_preset:
            del variant["relabel_params"][key]
    make_relabeler(variant["relabeler"], **{key: value for key, value in variant["relabel_params"].items() if key not in _ATTACH_KEYS})
    needed = variant["n_train_tasks"] + variant["n_eval_tasks"]
    variant["env_params"].setdefault("n_tasks", SAME_TASKS.get(variant["env_name"], needed))
    number = variant["env_params"]["n_tasks"]
    if variant["n_train_tasks"] > number or variant["n_eval_tasks"] > number:
        given = f"{variant['n_train_tasks']} and {variant['n_eval_tasks']}"
        raise ValueError(f"n_train_tasks and n_eval_tasks must be at most n_tasks = {number}, got {given}")
    if needed > number and variant["env_name"] not in SAME_TASKS:
        raise ValueError(f"n_tasks must be at least n_train_tasks + n_eval_tasks = {needed}, so that test tasks are new, got {number}")


def versions() -> dict[str, str]:
    """The versions that a run's numbers depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "rlkit_hfr": __version__}
    for package in ("torch", "numpy", "mujoco", "metaworld", "gymnasium", "gym"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


__all__ = ["Variant", "build_variant", "make_env", "parse_assignment", "versions"]
