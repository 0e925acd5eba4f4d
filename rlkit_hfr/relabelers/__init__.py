"""To which task does this path go? One small module a method, and a registry."""

from __future__ import annotations

from rlkit_hfr.relabelers.registry import (
    RELABELERS,
    find_relabeler,
    make_relabeler,
    register_relabeler,
    relabeler_options,
)
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler, TrajectoryRelabeler

__all__ = [
    "RELABELERS",
    "RelabelDecision",
    "Relabeler",
    "TrajectoryRelabeler",
    "find_relabeler",
    "make_relabeler",
    "register_relabeler",
    "relabeler_options",
]
