"""A run's complete settings (rlkit's "variant"): defaults, preset, JSON file and
command line, in this order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from env_wrappers import Arguments, arguments_of, find_family, make_env
from env_wrappers.registry import Family
from rlkit_hfr.checks import positive_int
from rlkit_hfr.experiments.settings.algorithms import belongs_to_others, find_algorithm
from rlkit_hfr.experiments.settings.config_files import (
    check_mini_batch,
    load_config,
    recorded,
    recorded_seed,
    settings_in,
)
from rlkit_hfr.experiments.settings.draft import Draft, Source, Variant
from rlkit_hfr.experiments.settings.keys import ATTACH_KEYS, Keys, keys_for
from rlkit_hfr.experiments.settings.limits import check_name, check_settings
from rlkit_hfr.experiments.settings.machine import versions
from rlkit_hfr.experiments.settings.paper_presets import PAPER, SAME_TASKS
from rlkit_hfr.experiments.settings.presets import preset
from rlkit_hfr.references import is_reference
from rlkit_hfr.relabelers import find_relabeler, make_relabeler, relabeler_options

_DEFAULTS: Variant = {
    ".n_train_tasks": 2,
    ".n_eval_tasks": 2,
    ".latent_size": 5,
    ".net_size": 300,
    ".encoder_size": 200,
    ".pixel_encoder": "flat",
    ".relabeler": "hfr",
    ".algorithm": "pearl",
    "relabel_params.precision": "fp32",  # the same numbers on every machine
}


def parse_assignment(text: str, option: str = "--set") -> tuple[str, Any]:
    """``key=value`` with a JSON value, or a bare word for a string. option: what it was
    given by, for messages.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"{option} takes key=value, got {text!r}")
    if len(value) > 10_000:
        raise ValueError(f"{option} {key}: its value has {len(value):,} letters")
    try:
        return key, json.loads(value)
    except RecursionError:
        raise ValueError(f"{option} {key}: its value is nested too deep") from None
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

    Defaults come first, then what the task family declares (`default_settings`), then the
    preset (the paper's, unless a config is given without one; families of your own have
    none), then the config, then the command line: `env_name`, `relabeler` and the
    `assignments`.
    seed: None takes the config's, or 0.
    """
    content = load_config(config) if config else {}
    pairs = [parse_assignment(text) for text in assignments]
    name = dict(pairs).get("env_name", env_name or content.get("env_name"))
    if name is None:
        raise ValueError("no environment: give --env NAME, or a config with env_name")
    if not is_reference(name):
        check_name("env_name", name)
    if preset_name is None and not config:
        preset_name = "paper"
    if seed is None:
        seed = recorded_seed(content, str(config)) or 0
    family = find_family(name)
    methods = [relabeler, content.get("relabeler"), *(value for key, value in pairs if key == "relabeler")]
    given: Variant = {**content, **dict(pairs)}
    algorithm = given.get("algorithm", "pearl")
    keys = keys_for(family, [find_relabeler(method) for method in methods if is_reference(method)], algorithm)
    draft = Draft(keys)
    _put_defaults(draft, algorithm)
    _put_declared(draft, keys, family, algorithm)
    _put_preset(draft, keys, name, preset_name, algorithm)
    for key, value in settings_in(content, str(config), keys):
        draft.put(key, value, Source.CONFIG)
    check_mini_batch(content, draft["algo_params.embedding_batch_size"], str(config))
    draft.put(".env_name", name, Source.COMMAND_LINE)
    of_another = relabeler is not None and relabeler != draft[".relabeler"]
    if relabeler is not None:
        draft.put(".relabeler", relabeler, Source.COMMAND_LINE)
    for key, value in pairs:
        draft.put(key, value, Source.COMMAND_LINE)
    _leave_out_options_of_others(draft, keys, of_another)
    if name not in PAPER:
        _share_out_tasks(draft, family, name)
    own = {"seed": seed, "preset": preset_name, "versions": versions()}
    return checked({**recorded(content), **draft.variant(), **own})


def of_host(variant: Variant, host: str, config: Path | None) -> Variant:
    """The variant without the host that its config was recorded with. ValueError if that is another."""
    found = variant.get("host", host)
    if found != host:
        raise ValueError(
            f"{config} was recorded with --host {found!r:.40}, got --host {host};"
            " give the same one, or remove host from the file"
        )
    return {key: value for key, value in variant.items() if key != "host"}


def _put_defaults(draft: Draft, algorithm: str) -> None:
    own = find_algorithm(algorithm)
    for key, value in _DEFAULTS.items():
        draft.put(key, value, Source.DEFAULT)
    for section, defaults in (("", own.defaults), ("algo_params", own.settings)):
        for key, value in defaults.items():
            draft.put(f"{section}.{key}", value, Source.DEFAULT)


def _put_preset(draft: Draft, keys: Keys, env_name: str, name: str | None, algorithm: str) -> None:
    """The preset of an environment, if it has one, less the settings of other algorithms
    and with what the algorithm changes in it.
    """
    settings: dict[str, object] = {}
    if name is not None:
        settings.update(preset(env_name, name))
    if settings:
        settings |= find_algorithm(algorithm).presets.get(str(name), {})
    for key, value in settings.items():
        if not belongs_to_others(key, algorithm):
            draft.put(keys.first(key), value, Source.PRESET)


def _put_declared(draft: Draft, keys: Keys, family: Family, algorithm: str) -> None:
    """The `default_settings` of a family, less those of other algorithms. ValueError for
    what is no setting.
    """
    declared = getattr(family, "default_settings", {})
    label = f"default_settings of {getattr(family, '__name__', family)}"
    if not isinstance(declared, Mapping):
        raise ValueError(f"{label} must be a dict of settings, got {type(declared).__name__}")
    for key, value in declared.items():
        if belongs_to_others(key, algorithm):
            continue
        try:
            draft.put(keys.first(key), value, Source.FAMILY)
        except ValueError as error:
            raise ValueError(f"{label}: {error}") from None


def _leave_out_options_of_others(draft: Draft, keys: Keys, of_another: bool) -> None:
    """Drop the options that the relabeler does not take, unless somebody asked for
    them.

    A preset names the options of every relabeler. So does a config that was written for
    another one (`of_another`).
    """
    name = draft[".relabeler"]
    check_name("relabeler", name)
    own = relabeler_options(find_relabeler(name))
    others = set(keys.sections["relabel_params"]) - {*ATTACH_KEYS, *own}
    general = {Source.FAMILY, Source.PRESET}
    draft.drop("relabel_params", others, general | {Source.CONFIG} if of_another else general)


def _share_out_tasks(draft: Draft, family: Family, name: str) -> None:
    """Of a family without a preset: four tasks in five are for training, the rest for
    testing, as far as nobody has said how many.
    """
    given = {
        key: draft[key]
        for key in (".n_train_tasks", ".n_eval_tasks")
        if draft.source(key) is not Source.DEFAULT
    }
    if len(given) == 2:
        return
    number = _number_of_tasks(name, draft.variant()["env_params"], arguments_of(family))
    tests = max(1, number - round(0.8 * number))
    if ".n_train_tasks" in given:
        positive_int("n_train_tasks", given[".n_train_tasks"])
        tests = max(1, min(tests, number - given[".n_train_tasks"]))
        draft.put(".n_eval_tasks", tests, Source.FAMILY)
        return
    tests = given.get(".n_eval_tasks", tests)
    positive_int("n_eval_tasks", tests)
    draft.put(".n_train_tasks", max(1, number - tests), Source.FAMILY)
    draft.put(".n_eval_tasks", tests, Source.FAMILY)


def _number_of_tasks(name: str, env_params: Variant, arguments: Arguments) -> int:
    """How many tasks a family has when it is built so."""
    number = env_params.get("n_tasks", arguments.defaults.get("n_tasks"))
    if isinstance(number, int) and not isinstance(number, bool):
        return number
    try:
        return len(list(make_env(name, **env_params).get_all_task_idx()))
    except TypeError as error:
        raise ValueError(f"can't build {name}: {error}") from None


def checked(variant: Variant) -> Variant:
    """The variant, with the number of the environment's tasks.

    ValueError for what can be seen to be wrong before anything is built.
    """
    check_settings(variant)
    name, params = variant["env_name"], variant["env_params"]
    arguments = arguments_of(find_family(name))
    options = {key: value for key, value in variant["relabel_params"].items() if key not in ATTACH_KEYS}
    make_relabeler(variant["relabeler"], **options)
    arguments.check(params, name)
    train, test = variant["n_train_tasks"], variant["n_eval_tasks"]
    if "n_tasks" in arguments.names:
        number = params.setdefault("n_tasks", SAME_TASKS.get(name, train + test))
    else:
        number = _number_of_tasks(name, params, arguments)
    splits = params.get("split") is not None or arguments.defaults.get("n_test_tasks") is not None
    if splits and params.setdefault("n_test_tasks", test) != test:
        raise ValueError(
            f"n_test_tasks must be n_eval_tasks = {test}, the tasks that are tested, got"
            f" {params['n_test_tasks']}; leave it out"
        )
    if max(train, test) > number:
        raise ValueError(
            f"n_train_tasks and n_eval_tasks must be at most n_tasks = {number}, got {train} and {test}"
        )
    if train + test > number and name not in SAME_TASKS:
        raise ValueError(
            f"n_tasks must be at least n_train_tasks + n_eval_tasks = {train + test}, "
            "so that test tasks are new,"
            f" got {number}"
        )
    return variant
