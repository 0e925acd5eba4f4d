"""Relabelers by name."""
from __future__ import annotations

import inspect
from typing import Any

from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.relabelers.baselines import NoneRelabeler, RandomRelabeler
from rlkit_hfr.relabelers.generalized_hindsight import AdvantageRelabeler, AIRRelabeler, ReturnRelabeler
from rlkit_hfr.relabelers.hfr import HFRRelabeler
from rlkit_hfr.relabelers.hfr_bellman import HFRBellmanRelabeler
from rlkit_hfr.relabelers.hindsight_goals import FinalStateRelabeler, FutureStateRelabeler
from rlkit_hfr.relabelers.hipi import HIPIRelabeler
from rlkit_hfr.relabelers.hipi_trajectory import HIPITrajectoryRelabeler
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler

RELABELERS: dict[str, type[Relabeler]] = {
    cls.name: cls
    for cls in (
        NoneRelabeler, RandomRelabeler, HFRRelabeler, HFRBellmanRelabeler, HIPIRelabeler, HIPITrajectoryRelabeler, AIRRelabeler,
        AdvantageRelabeler, ReturnRelabeler, FinalStateRelabeler, FutureStateRelabeler,
    )
}  # fmt: skip


def make_relabeler(relabeler: str | Relabeler | type[Relabeler] | None, **options: Any) -> Relabeler:
    """A relabeler from a name of the registry, a class, an instance (which takes no more options) or None for "none"."""
    if isinstance(relabeler, Relabeler):
        if options:
            raise ValueError(f"options {', '.join(sorted(options))} were given with a finished {relabeler.name!r} relabeler; give them to its class")
        return relabeler
    if isinstance(relabeler, type) and issubclass(relabeler, Relabeler):
        cls = relabeler
    else:
        name = "none" if relabeler is None else relabeler
        if name not in RELABELERS:
            raise ValueError(f"unknown relabeler {name!r}{did_you_mean(str(name), RELABELERS)}; known: {', '.join(RELABELERS)}")
        cls = RELABELERS[name]
    known = relabeler_options(cls)
    for key in options:
        if key not in known:
            accepted = ", ".join(known) or "none at all"
            raise ValueError(f"relabeler {cls.name!r} has no option {key!r}{did_you_mean(key, known)}; it takes {accepted}")
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


__all__ = ["RELABELERS", "RelabelDecision", "Relabeler", "make_relabeler", "relabeler_options"]
