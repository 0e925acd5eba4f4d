"""Which settings there are, in which section of a variant each lives, and which are
truth values.
"""
from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

from rlkit_hfr import RELABELERS, attach
from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.relabelers import relabeler_options

_TOP_KEYS = (
    "env_name",
    "n_train_tasks",
    "n_eval_tasks",
    "latent_size",
    "net_size",
    "encoder_size",
    "pixel_encoder",
    "relabeler",
)
_ALGO_KEYS = tuple(field.name for field in dataclasses.fields(PEARLConfig))
ATTACH_KEYS = tuple(
    p.name for p in inspect.signature(attach).parameters.values()
    if p.kind is p.KEYWORD_ONLY and p.name not in ("host", "seed")
)  # fmt: skip
_RELABELER_KEYS = tuple(dict.fromkeys(key for cls in RELABELERS.values() for key in relabeler_options(cls)))

# section -> its settings; the empty name is the top of the variant
SECTIONS: dict[str, tuple[str, ...]] = {
    "": _TOP_KEYS,
    "algo_params": _ALGO_KEYS,
    "relabel_params": ATTACH_KEYS + _RELABELER_KEYS,
    "env_params": ("n_tasks", "task_seed", "start", "obs_dim", "dynamics_range", "renderer", "goal_width",
                   "tolerance"),
}


def _truth_options() -> set[str]:
    """The options of `attach` and of the relabelers that are on or off, as their
    defaults tell.
    """
    classes = {base for cls in RELABELERS.values() for base in cls.__mro__ if "__init__" in vars(base)}
    callables: list[Any] = [attach, *(vars(cls)["__init__"] for cls in classes - {object})]
    parameters = (p for function in callables for p in inspect.signature(function).parameters.values())
    return {p.name for p in parameters if isinstance(p.default, bool)}


_TRUTHS = {
    "algo_params": {field.name for field in dataclasses.fields(PEARLConfig) if field.type == "bool"},
    "relabel_params": _truth_options(),
}


def place(key: str) -> tuple[str, str]:
    """Section and name of ``key`` or ``section.key``.

    ValueError for one that does not exist, with the nearest that does, and for a bare
    one that two sections have, with both.
    """
    section, dot, name = key.rpartition(".")
    homes = [home for home, names in SECTIONS.items() if name in names and (not dot or home == section)]
    if not homes:
        known = sorted({name for names in SECTIONS.values() for name in names})
        raise ValueError(f"unknown setting {key!r}{did_you_mean(name, known)}; known: {', '.join(known)}")
    if len(homes) > 1:
        both = " and ".join(homes)
        raise ValueError(
            f"{name} is a setting of {both}; say which: {' or '.join(f'{home}.{name}' for home in homes)}"
        )
    return homes[0], name


def is_truth(section: str, name: str) -> bool:
    return name in _TRUTHS.get(section, ())


def check_truth(name: str, value: Any, source: str = "") -> bool:
    """ValueError unless it is True or False. source: where the value stands, for the
    message.
    """
    if not isinstance(value, bool):
        where = f" in {source}" if source else ""
        got = json.dumps(value, default=repr)
        raise ValueError(
            f"{name}{where} must be true or false, got {got}; write true or false, without quotes"
        )
    return value
