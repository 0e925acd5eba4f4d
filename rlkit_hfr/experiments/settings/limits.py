"""The one check of a run's settings, wherever they come from: types, finite numbers,
sizes that a machine can hold, names that stay in their folder.

What only the environment, the relabeler or `attach` can know, they say themselves.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping

from env_wrappers import find_family
from rlkit_hfr.checks import did_you_mean, share
from rlkit_hfr.experiments.settings.algorithms import find_algorithm
from rlkit_hfr.experiments.settings.draft import Variant
from rlkit_hfr.experiments.settings.keys import keys_for
from rlkit_hfr.pearl.config import MetaRLConfig
from rlkit_hfr.pearl.logger import SNAPSHOT_MODES
from rlkit_hfr.pearl.writers import ROW_WRITERS
from rlkit_hfr.relabelers import find_relabeler

MOST_SEED = 2**32 - 1  # what numpy's global generator takes
_NAME = re.compile(r"[A-Za-z0-9][\w.:+-]*", re.ASCII)
_MOST_LETTERS = 200
_MOST_ROWS = 10_000_000  # of a batch of all tasks together
_LARGEST = 1e12  # of a number that has no limit of its own: squares of it are finite in single precision

# setting -> the least and the most of it
_WHOLE = {
    "n_train_tasks": (1, 100_000),
    "n_eval_tasks": (1, 100_000),
    "latent_size": (1, 4_096),
    "net_size": (1, 16_384),
    "encoder_size": (1, 16_384),
}
_MOST = {
    "meta_batch": 100_000,
    "num_iterations": 10_000_000,
    "num_tasks_sample": 100_000,
    "num_evals": 10_000,
    "num_exp_traj_eval": 10_000,
    "num_train_tasks_eval": 100_000,
    "batch_size": 1_000_000,
    "embedding_batch_size": 1_000_000,
    "max_path_length": 1_000_000,
    "num_envs": 1_000,
    "step_threads": 256,
    "policy_lr": 1.0,
    "qf_lr": 1.0,
    "vf_lr": 1.0,
    "context_lr": 1.0,
    "model_lr": 1.0,
    "entropy_lr": 1.0,
    "adapt_steps": 10_000,
    "eval_adapt_steps": 10_000,
    "num_model_steps": 10_000,
}
_MOST_OF_ADAPTATION = {
    "trajectories": 10_000,
    "adapt_steps": 10_000,
    "relabeled_rows": _MOST_ROWS,
    "batch_size": 1_000_000,
    "eval_trajectories": 10_000,
}
_MOST_STEPS = 1_000_000_000  # of the other whole numbers of algo_params
_OF_ENVIRONMENT = {"n_tasks": (1, 100_000), "n_test_tasks": (1, 100_000), "task_seed": (0, MOST_SEED)}
_SHARES = ("relabel_fraction", "original_contexts")
_MOST_OF_OPTIONS = 1_000_000


def check_settings(variant: Variant) -> None:
    """ValueError, with what was got and what is expected, for the first that is wrong."""
    for key in ("env_name", "relabeler", "pixel_encoder"):
        check_name(key, variant[key])
    algorithm = variant["algorithm"]
    keys = keys_for(find_family(variant["env_name"]), [find_relabeler(variant["relabeler"])], algorithm)
    for section in ("algo_params", "relabel_params", "env_params"):
        values = variant.get(section)
        if not isinstance(values, dict):
            raise ValueError(f"{section} must be an object of settings, got {_shown(values)}")
        for key in values:
            if key not in keys.sections[section] and section not in keys.open_sections:
                near = did_you_mean(str(key), keys.sections[section])
                raise ValueError(f"unknown setting {key!r} in {section}{near}")
    for key, (least, most) in _WHOLE.items():
        _check_whole(key, variant[key], least, most)
    check_seed(variant["seed"], "seed")
    _check_algorithm(variant["algo_params"], find_algorithm(algorithm).config)
    check_options(variant["relabel_params"])
    for key, value in variant["relabel_params"].items():
        if key in _SHARES:
            share(key, value)
    for key, value in variant["env_params"].items():
        if key in _OF_ENVIRONMENT:
            _check_whole(key, value, *_OF_ENVIRONMENT[key])
        else:
            _check_plain(key, value, _MOST_OF_OPTIONS)
    _check_snapshots(variant.get("snapshots"))
    _check_log(variant.get("log", []))


def check_options(options: Mapping[str, object]) -> None:
    """ValueError unless options of relabelers are plain values that a machine can hold."""
    for key, value in options.items():
        _check_plain(key, value, _MOST_OF_OPTIONS)


def check_adaptation(settings: Mapping[str, object]) -> None:
    """ValueError for sizes of an `ExtrapolationConfig` that no machine can hold."""
    for key, value in settings.items():
        _check_plain(key, value, _MOST_OF_ADAPTATION.get(key, _MOST_STEPS))


def check_name(key: str, value: object) -> str:
    """ValueError unless it is a word that can be a folder's name."""
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a name, got {_shown(value)}")
    if not _NAME.fullmatch(value) or len(value) > _MOST_LETTERS or ".." in value:
        raise ValueError(
            f"{key} must be a name of letters, digits, '-', '_', '.' and ':', got {_shown(value)}"
        )
    return value


def check_seed(value: object, what: str) -> int:
    """ValueError unless it is a seed that every generator takes. what: its name, for
    the message.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(
            f"{what} must be a whole number, zero or more, got {_shown(value)}; give another by --seed"
        )
    if value > MOST_SEED:
        raise ValueError(f"{what} must be at most {MOST_SEED}, got {_shown(value)}; give another by --seed")
    return value


def _check_algorithm(values: Variant, config: type[MetaRLConfig]) -> None:
    config(**values)
    full = {field.name: values.get(field.name, field.default) for field in dataclasses.fields(config)}
    for field in dataclasses.fields(config):
        value = full[field.name]
        if field.type in ("int", "float"):
            most = _MOST.get(field.name, _MOST_STEPS if field.type == "int" else _LARGEST)
            if not value <= most:
                raise ValueError(f"{field.name} must be at most {most:,}, got {_shown(value)}")
    for size in ("batch_size", "embedding_batch_size"):
        if full["meta_batch"] * full[size] > _MOST_ROWS:
            raise ValueError(
                f"meta_batch x {size} must be at most {_MOST_ROWS:,} rows, got {full['meta_batch']:,} x "
                f"{full[size]:,}; make one of them smaller"
            )


def _check_whole(key: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        words = "a positive whole number" if least == 1 and key in _WHOLE else "a whole number"
        raise ValueError(f"{key} must be {words}, {least:,} or more, got {_shown(value)}")
    if value > most:
        raise ValueError(
            f"{key} must be at most {most:,}, got {_shown(value)}; can't build the networks or tasks of more"
        )


def _check_plain(key: str, value: object, most: int) -> None:
    """A truth value, a finite number, a short word, null, or a list of such."""
    if isinstance(value, list):
        if len(value) > 100 or any(isinstance(item, (list, dict)) for item in value):
            raise ValueError(f"{key} must be a value or a short list of values, got {_shown(value)}")
        for item in value:
            _check_plain(key, item, most)
        return
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, int) and abs(value) > most:
        raise ValueError(f"{key} must be at most {most:,}, got {_shown(value)}")
    if isinstance(value, float) and not (math.isfinite(value) and abs(value) <= _LARGEST):
        raise ValueError(f"{key} must be a finite number of at most {_LARGEST:g}, got {_shown(value)}")
    if isinstance(value, str) and (len(value) > _MOST_LETTERS or not value.isprintable()):
        raise ValueError(f"{key} must be a word of at most {_MOST_LETTERS} letters, got {_shown(value)}")
    if not isinstance(value, (int, float, str)):
        raise ValueError(f"{key} must be a number, a word, true, false or null, got {_shown(value)}")


def _check_snapshots(snapshots: object) -> None:
    if snapshots is None:
        return
    if not isinstance(snapshots, dict) or set(snapshots) != {"snapshot_mode", "snapshot_gap"}:
        raise ValueError(f"snapshots must be snapshot_mode and snapshot_gap, got {_shown(snapshots)}")
    mode, gap = snapshots["snapshot_mode"], snapshots["snapshot_gap"]
    if mode not in SNAPSHOT_MODES:
        raise ValueError(f"snapshot_mode must be one of {', '.join(SNAPSHOT_MODES)}, got {_shown(mode)}")
    if isinstance(gap, bool) or not isinstance(gap, int) or not 1 <= gap <= _MOST["num_iterations"]:
        raise ValueError(f"snapshot_gap must be a positive whole number, got {_shown(gap)}")


def _check_log(names: object) -> None:
    if not isinstance(names, list) or any(name not in ROW_WRITERS for name in map(str, names)):
        raise ValueError(f"log must be a list of {', '.join(ROW_WRITERS)}, got {_shown(names)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
