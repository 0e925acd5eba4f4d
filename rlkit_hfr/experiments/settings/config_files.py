"""Settings from a JSON file: a variant of ours, or a config of oyster or the HFR
release, translated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.experiments.settings.draft import Variant
from rlkit_hfr.experiments.settings.json_files import load_object
from rlkit_hfr.experiments.settings.keys import Keys, check_truth
from rlkit_hfr.experiments.settings.limits import check_seed

# What a run records beside its settings; `recorded` and `recorded_seed` say what is taken over of it.
_RECORDS = ("preset", "seed", "versions", "snapshots", "log", "started", "host", "machine")
_TAKEN_OVER = ("snapshots", "log", "host")

# Keys of oyster's and HFR's files that have one possible value here, or none that matters to a run.
_FIXED = {
    "recurrent": False,
    "update_post_train": 1,
    "path_to_weights": None,
    "randomize_tasks": True,
    "sparse": True,
}
_WITHOUT_EFFECT = {
    "util_params",
    "dump_eval_paths",
    "log_success_rate",
    "render_eval_paths",
    "save_replay_buffer",
    "save_algorithm",
}
_HFR_METHODS = {"hfr-q": "hfr", "hfr-bellman": "hfr-bellman", "hipi": "hipi", "random": "random"}
_TRANSLATED = {
    "embedding_mini_batch_size",
    "relabel_method",
    "utility_batch_size",
    "use_learned_reward",
    "use_softmax",
}
_OF_OTHERS = {*_FIXED, *_WITHOUT_EFFECT, *_TRANSLATED}


def load_config(path: Path) -> Variant:
    """The content of a settings file.

    ValueError if it can't be read, or holds no JSON object.
    """
    return load_object(path, "the config ")


def recorded_seed(content: Variant, source: str) -> int | None:
    """The seed of the run whose variant this is, None if it names none."""
    seed = content.get("seed")
    return None if seed is None else check_seed(seed, f"seed in {source}")


def recorded(content: Variant) -> Variant:
    """Which snapshots a recorded run kept, where its rows went and whose PEARL it ran, as
    far as the file says so.
    """
    return {name: content[name] for name in _TAKEN_OVER if content.get(name) is not None}


def settings_in(content: Variant, source: str, keys: Keys) -> Iterator[tuple[str, object]]:
    """The settings of a loaded file under our names, as (key, value). source: its name,
    for messages.
    """
    entries = list(_entries(content, source, keys))
    of_others = any(name in _OF_OTHERS for _, name, _ in entries) or "util_params" in content
    for section, name, value in entries:
        if name in _OF_OTHERS:
            yield from _translated(name, value, source)
            continue
        key = f"{section}.{name}" if section else name
        home, _ = keys.place(key)
        if keys.is_truth(home, name):  # oyster's own files write 1 and 0
            value = check_truth(name, bool(value) if of_others and value in (0, 1) else value, source)
        yield key, value


def check_mini_batch(content: Variant, batch: object, source: str) -> None:
    """Oyster has two sizes of the context batch.

    ValueError if a file's are not the same.
    """
    algo = content.get("algo_params")
    mini = algo.get("embedding_mini_batch_size") if isinstance(algo, Mapping) else None
    if mini is not None and mini != batch:
        raise ValueError(
            f"embedding_mini_batch_size in {source} must equal embedding_batch_size ({batch}), got {mini!r}"
        )


def _entries(content: Variant, source: str, keys: Keys) -> Iterator[tuple[str, str, object]]:
    """Section (empty at the top), name and value."""
    for key, value in content.items():
        if key in _RECORDS or key in _WITHOUT_EFFECT:
            continue
        if not isinstance(value, Mapping):
            yield "", key, value
        elif key and key in keys.sections:
            yield from ((key, name, item) for name, item in value.items())
        else:
            sections = [section for section in keys.sections if section]
            raise ValueError(
                f"unknown section {key!r} in {source}{did_you_mean(key, sections)}; known: "
                f"{', '.join(sections)}"
            )


def _translated(name: str, value: object, source: str) -> Iterator[tuple[str, object]]:
    """A setting of oyster's or HFR's in our words."""
    if name in _FIXED:
        if value != _FIXED[name]:
            only, got = json.dumps(_FIXED[name]), json.dumps(value)
            raise ValueError(f"{name} in {source} must be {only}, the only value supported, got {got}")
    elif name == "relabel_method":
        if not isinstance(value, str) or value not in _HFR_METHODS:
            raise ValueError(
                f"relabel_method in {source} must be one of {', '.join(_HFR_METHODS)}, got {value!r}"
            )
        yield "relabeler", _HFR_METHODS[value]
    elif name == "utility_batch_size":
        yield "relabel_params.num_initial_states", value
    elif name == "use_learned_reward":
        yield "relabel_params.rewards", "learned" if check_truth(name, value, source) else None
    elif name == "use_softmax":
        yield "relabel_params.temperature", 1.0 if check_truth(name, value, source) else 0.0
