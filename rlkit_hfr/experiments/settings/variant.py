"""A run's complete settings (rlkit's "variant"): defaults, preset, JSON file and
command line, in this order.
"""
from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlkit_hfr import RELABELERS
from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.experiments.settings.config_files import (
    check_mini_batch,
    load_config,
    recorded_seed,
    settings_in,
)
from rlkit_hfr.experiments.settings.draft import Draft, Source, Variant
from rlkit_hfr.experiments.settings.keys import ATTACH_KEYS, SECTIONS
from rlkit_hfr.experiments.settings.limits import check_name, check_settings
from rlkit_hfr.experiments.settings.machine import versions
from rlkit_hfr.experiments.settings.presets import SAME_TASKS, preset
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.relabelers import make_relabeler, relabeler_options

_DEFAULTS: dict[str, Any] = {
    "n_train_tasks": 2,
    "n_eval_tasks": 2,
    "latent_size": 5,
    "net_size": 300,
    "encoder_size": 200,
    "pixel_encoder": "flat",
    "relabeler": "hfr",
    "relabel_params.precision": "fp32",  # the same numbers on every machine
    **{f"algo_params.{field.name}": field.default for field in dataclasses.fields(PEARLConfig)},
}


def parse_assignment(text: str) -> tuple[str, Any]:
    """``key=value`` with a JSON value, or a bare word for a string."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"--set takes key=value, got {text!r}")
    if len(value) > 10_000:
        raise ValueError(f"--set {key}: its value has {len(value):,} letters")
    try:
        return key, json.loads(value)
    except RecursionError:
        raise ValueError(f"--set {key}: its value is nested too deep") from None
    except json.JSONDecodeError:
        return key, {"True": True, "False": False, "None": None}.get(value, value)


def build_variant(
    env_name: str | None,
    relabeler: str | None,
    preset_name: str | None,
    config: Path | None,
    assignments: Sequence[str],
    seed: int | None,
) -> Variant:
    """The settings of a run. ValueError for what is wrong with them.

    Defaults come first, then the preset (the paper's, unless a config is given without
    one), then the config, then the command line: `env_name`, `relabeler` and the
    `assignments`.
    seed: None takes the config's, or 0.
    """
    content = load_config(config) if config else {}
    name = env_name or content.get("env_name")
    if name is None:
        raise ValueError("no environment: give --env NAME, or a config with env_name")
    check_name("env_name", name)
    pairs = [parse_assignment(text) for text in assignments]
    if preset_name is None and not config:
        preset_name = "paper"
    if seed is None:
        seed = recorded_seed(content, str(config)) or 0
    draft = Draft()
    for key, value in _DEFAULTS.items():
        draft.put(key, value, Source.DEFAULT)
    for key, value in (preset(name, preset_name) if preset_name is not None else {}).items():
        draft.put(key, value, Source.PRESET)
    for key, value in settings_in(content, str(config)):
        draft.put(key, value, Source.CONFIG)
    check_mini_batch(content, draft["embedding_batch_size"], str(config))
    draft.put("env_name", name, Source.COMMAND_LINE)
    of_another = relabeler is not None and relabeler != draft["relabeler"]
    if relabeler is not None:
        draft.put("relabeler", relabeler, Source.COMMAND_LINE)
    for key, value in pairs:
        draft.put(key, value, Source.COMMAND_LINE)
    _leave_out_options_of_others(draft, of_another)
    variant = {**draft.variant(), "seed": seed, "preset": preset_name, "versions": versions()}
    return checked(variant)


def _leave_out_options_of_others(draft: Draft, of_another: bool) -> None:
    """Drop the options that the relabeler does not take, unless somebody asked for
    them.

    A preset names the options of every relabeler. So does a config that was written for
    another one (`of_another`).
    """
    name = draft["relabeler"]
    check_name("relabeler", name)
    if name not in RELABELERS:
        raise ValueError(_unknown_relabeler(name))
    others = set(SECTIONS["relabel_params"]) - {*ATTACH_KEYS, *relabeler_options(RELABELERS[name])}
    draft.drop("relabel_params", others, {Source.PRESET, Source.CONFIG} if of_another else {Source.PRESET})


def checked(variant: Variant) -> Variant:
    """The variant, with the number of the environment's tasks.

    ValueError for what can be seen to be wrong before anything is built.
    """
    check_settings(variant)
    known = variant["relabel_params"]
    if variant["relabeler"] not in RELABELERS:
        raise ValueError(_unknown_relabeler(variant["relabeler"]))
    make_relabeler(
        variant["relabeler"], **{key: value for key, value in known.items() if key not in ATTACH_KEYS}
    )
    train, test = variant["n_train_tasks"], variant["n_eval_tasks"]
    same = variant["env_name"] in SAME_TASKS
    number = variant["env_params"].setdefault("n_tasks", SAME_TASKS.get(variant["env_name"], train + test))
    if max(train, test) > number:
        raise ValueError(
            f"n_train_tasks and n_eval_tasks must be at most n_tasks = {number}, got {train} and {test}"
        )
    if train + test > number and not same:
        raise ValueError(
            f"n_tasks must be at least n_train_tasks + n_eval_tasks = {train + test}, "
            "so that test tasks are new,"
            f" got {number}"
        )
    return variant


def _unknown_relabeler(name: str) -> str:
    known = ", ".join(RELABELERS)
    return f"unknown relabeler {name!r}{did_you_mean(name, RELABELERS)}; known: {known}"
