"""Which settings there are, in which section of a variant each lives, and which are
truth values.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from env_wrappers import arguments_of
from env_wrappers.registry import Family
from rlkit_hfr import RELABELERS, Relabeler, attach
from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.experiments.settings.algorithms import find_algorithm
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
    "algorithm",
)
ATTACH_KEYS = tuple(
    p.name for p in inspect.signature(attach).parameters.values()
    if p.kind is p.KEYWORD_ONLY and p.name not in ("host", "seed")
)  # fmt: skip


@dataclass(frozen=True)
class Keys:
    """The settings that a run can have: those of its algorithm, of `attach`, of its relabeler and
    the arguments of its task family.

    sections: section -> its settings; the empty name is the top of the variant. truths:
    section -> those that are on or off. open_sections: which take any other name as well.
    """

    sections: Mapping[str, tuple[str, ...]]
    truths: Mapping[str, frozenset[str]]
    open_sections: frozenset[str] = frozenset()

    def place(self, key: str) -> tuple[str, str]:
        """Section and name of ``key`` or ``section.key``; ``.key`` is one of the top.

        ValueError for one that does not exist, with the nearest that does, and for a bare
        one that two sections have, with both.
        """
        section, dot, name = key.rpartition(".")
        if name and section in self.open_sections:
            return section, name
        homes = [
            home for home, names in self.sections.items() if name in names and (not dot or home == section)
        ]
        if not homes:
            known = sorted({name for names in self.sections.values() for name in names})
            raise ValueError(f"unknown setting {key!r}{did_you_mean(name, known)}; known: {', '.join(known)}")
        if len(homes) > 1:
            both = " and ".join(home or "the run itself" for home in homes)
            raise ValueError(
                f"{name} is a setting of {both}; say which: {' or '.join(f'{home}.{name}' for home in homes)}"
            )
        return homes[0], name

    def first(self, key: str) -> str:
        """``section.key`` in the first section that has a bare key, which presets and task
        families write without knowing what else a relabeler's options are called.
        """
        homes = [home for home, names in self.sections.items() if key in names]
        return f"{homes[0]}.{key}" if homes else key

    def is_truth(self, section: str, name: str) -> bool:
        return name in self.truths.get(section, ())


def keys_for(family: Family, relabelers: Iterable[type[Relabeler]] = (), algorithm: str = "pearl") -> Keys:
    """The settings of a run on a task family: those of the algorithm, what the family's
    class can be built with, and the options of every relabeler of the registry and of these.
    """
    config = find_algorithm(algorithm).config
    classes = [*RELABELERS.values(), *relabelers]
    arguments = arguments_of(family)
    options = dict.fromkeys(key for cls in classes for key in relabeler_options(cls))
    return Keys(
        sections={
            "": _TOP_KEYS,
            "algo_params": tuple(f.name for f in dataclasses.fields(config)),
            "relabel_params": (*ATTACH_KEYS, *options),
            "env_params": arguments.names,
        },
        truths={
            "algo_params": frozenset(f.name for f in dataclasses.fields(config) if f.type == "bool"),
            "relabel_params": frozenset(_truth_options(classes)),
            "env_params": frozenset(
                name for name, default in arguments.defaults.items() if isinstance(default, bool)
            ),
        },
        open_sections=frozenset({"env_params"} if arguments.any_others else ()),
    )


def _truth_options(relabelers: Iterable[type[Relabeler]]) -> set[str]:
    """The options of `attach` and of relabelers that are on or off, as their defaults
    tell.
    """
    classes = {base for cls in relabelers for base in cls.__mro__ if "__init__" in vars(base)}
    callables: list[Callable[..., object]] = [attach, *(vars(cls)["__init__"] for cls in classes - {object})]
    parameters = (p for function in callables for p in inspect.signature(function).parameters.values())
    return {p.name for p in parameters if isinstance(p.default, bool)}


def check_truth(name: str, value: object, source: str = "") -> bool:
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
