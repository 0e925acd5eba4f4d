"""Relabelers by name, and those that others add."""

from __future__ import annotations

import inspect
from typing import Type, TypeVar

from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.references import is_reference, load
from rlkit_hfr.relabelers.baselines import NoneRelabeler, RandomRelabeler
from rlkit_hfr.relabelers.cds import CDSRelabeler
from rlkit_hfr.relabelers.generalized_hindsight import AdvantageRelabeler, AIRRelabeler, ReturnRelabeler
from rlkit_hfr.relabelers.hfr import HFRRelabeler
from rlkit_hfr.relabelers.hfr_bellman import HFRBellmanRelabeler
from rlkit_hfr.relabelers.hindsight_goals import FinalStateRelabeler, FutureStateRelabeler
from rlkit_hfr.relabelers.hipi import HIPIRelabeler
from rlkit_hfr.relabelers.hipi_trajectory import HIPITrajectoryRelabeler
from rlkit_hfr.relabelers.htr import HTRRelabeler
from rlkit_hfr.relabelers.relabeler import Relabeler
from rlkit_hfr.relabelers.sampling import HIPISamplingRelabeler, HTRSamplingRelabeler
from rlkit_hfr.relabelers.virtual import VirtualRelabeler

R = TypeVar("R", bound=Type[Relabeler])

RELABELERS: dict[str, type[Relabeler]] = {
    cls.name: cls
    for cls in (
        NoneRelabeler,
        RandomRelabeler,
        HFRRelabeler,
        HFRBellmanRelabeler,
        HIPIRelabeler,
        HIPITrajectoryRelabeler,
        AIRRelabeler,
        AdvantageRelabeler,
        ReturnRelabeler,
        FinalStateRelabeler,
        FutureStateRelabeler,
        HTRRelabeler,
        CDSRelabeler,
        HIPISamplingRelabeler,
        HTRSamplingRelabeler,
        VirtualRelabeler,
    )
}


def register_relabeler(cls: R) -> R:
    """Add a class to `RELABELERS` under its `name`, in this process; returns it, so that
    it serves as a decorator.

    ValueError for what is no complete relabeler, and for a name that another class has.
    """
    _check(cls)
    if is_reference(cls.name):
        raise ValueError(f"the name of {cls.__name__} must have no ':', got {cls.name!r}; give it another")
    holder = RELABELERS.get(cls.name)
    if holder is not None and _home(holder) != _home(cls):  # a module that is reloaded makes its class anew
        raise ValueError(
            f"the name {cls.name!r} is taken by {'.'.join(_home(holder))}; give {cls.__name__} another"
        )
    RELABELERS[cls.name] = cls
    return cls


def find_relabeler(name: object) -> type[Relabeler]:
    """The class of a name of `RELABELERS` or of a ``module:Class``. ValueError for any other."""
    if is_reference(name):
        return _check(load(name, "relabeler"), name)
    if not isinstance(name, str) or name not in RELABELERS:
        near = did_you_mean(str(name), RELABELERS)
        raise ValueError(
            f"unknown relabeler {name!r}{near}; known: {', '.join(RELABELERS)}, or module:Class of your own"
        )
    return RELABELERS[name]


def make_relabeler(relabeler: str | Relabeler | type[Relabeler] | None, **options: object) -> Relabeler:
    """A relabeler from a name, a ``module:Class``, a class, an instance (which takes no
    more options) or None for "none".
    """
    if isinstance(relabeler, Relabeler):
        _check(type(relabeler))
        if options:
            raise ValueError(
                f"options {', '.join(sorted(options))} were given with a finished {relabeler.name!r} "
                "relabeler; give them to its class"
            )
        return relabeler
    named = "none" if relabeler is None else relabeler
    cls = _check(named) if isinstance(named, type) else find_relabeler(named)
    known = relabeler_options(cls)
    for key in options:
        if key not in known:
            accepted = ", ".join(known) or "none at all"
            raise ValueError(
                f"relabeler {cls.name!r} has no option {key!r}{did_you_mean(key, known)}; it takes {accepted}"
            )
    return cls(**options)


def relabeler_options(cls: type[Relabeler]) -> list[str]:
    """The keyword options of a relabeler, its base classes' included."""
    names: list[str] = []
    for base in cls.__mro__:
        if "__init__" in vars(base) and base is not object:
            parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
            names += [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in names]
            if not any(p.kind is p.VAR_KEYWORD for p in parameters):
                break
    return names


def _check(cls: object, named: str = "") -> type[Relabeler]:
    """The class, if it is a complete relabeler. named: what the caller wrote for it."""
    if not isinstance(cls, type) or not issubclass(cls, Relabeler):
        raise ValueError(
            f"{named or repr(cls)} is no relabeler: expected a class derived from rlkit_hfr.Relabeler, "
            f"got {cls.__name__ if isinstance(cls, type) else type(cls).__name__}"
        )
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        raise ValueError(f"the relabeler {cls.__name__} does not define {', '.join(missing)}; write it")
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not name:
        raise ValueError(
            f"the relabeler {cls.__name__} needs a name for logs and messages, got {name!r}; "
            f'write name = "{cls.__name__.lower()}" in the class'
        )
    return cls


def _home(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__
