"""Hindsight Foresight Relabeling and its rivals as a plugin for PEARL on rlkit:
``attach(algorithm, "hfr")``.

The names below are imported on first use, so that ``rlkit-hfr --help`` waits for no
torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from rlkit_hfr._version import __version__

if TYPE_CHECKING:
    from rlkit_hfr.attach import Relabeling, attach
    from rlkit_hfr.buffers.relabeling_buffer import RelabelingMultiTaskReplayBuffer, relabeling_buffer_class
    from rlkit_hfr.placeholders import stand_in
    from rlkit_hfr.relabelers import (
        RELABELERS,
        RelabelDecision,
        Relabeler,
        TrajectoryRelabeler,
        register_relabeler,
    )
    from rlkit_hfr.rewards.task_rewards import TaskRewards
    from rlkit_hfr.rewards.vectors import VectorRewards

_HOMES = {
    "RELABELERS": "rlkit_hfr.relabelers",
    "RelabelDecision": "rlkit_hfr.relabelers",
    "Relabeler": "rlkit_hfr.relabelers",
    "Relabeling": "rlkit_hfr.attach",
    "RelabelingMultiTaskReplayBuffer": "rlkit_hfr.buffers.relabeling_buffer",
    "TaskRewards": "rlkit_hfr.rewards.task_rewards",
    "TrajectoryRelabeler": "rlkit_hfr.relabelers",
    "VectorRewards": "rlkit_hfr.rewards.vectors",
    "attach": "rlkit_hfr.attach",
    "register_relabeler": "rlkit_hfr.relabelers",
    "relabeling_buffer_class": "rlkit_hfr.buffers.relabeling_buffer",
    "stand_in": "rlkit_hfr.placeholders",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'rlkit_hfr' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


class _Package(ModuleType):
    """Python binds a module to its name in the package; a public name stays what it is."""

    def __setattr__(self, name: str, value: object) -> None:
        public = name in _HOMES and isinstance(value, ModuleType)
        super().__setattr__(name, getattr(value, name) if public else value)


sys.modules[__name__].__class__ = _Package

__all__ = [
    "RELABELERS",
    "RelabelDecision",
    "Relabeler",
    "Relabeling",
    "RelabelingMultiTaskReplayBuffer",
    "TaskRewards",
    "TrajectoryRelabeler",
    "VectorRewards",
    "__version__",
    "attach",
    "register_relabeler",
    "relabeling_buffer_class",
    "stand_in",
]
