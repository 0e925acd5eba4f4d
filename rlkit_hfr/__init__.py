"""Hindsight Foresight Relabeling and its rivals as a plugin for PEARL on rlkit: ``attach(algorithm, "hfr")``."""
from rlkit_hfr._version import __version__
from rlkit_hfr.attach import Relabeling, attach
from rlkit_hfr.buffers.relabeling_buffer import RelabelingMultiTaskReplayBuffer, relabeling_buffer_class
from rlkit_hfr.relabelers import RELABELERS, RelabelDecision, Relabeler
from rlkit_hfr.rewards.task_rewards import TaskRewards

__all__ = [
    "RELABELERS",
    "RelabelDecision",
    "Relabeler",
    "Relabeling",
    "RelabelingMultiTaskReplayBuffer",
    "TaskRewards",
    "__version__",
    "attach",
    "relabeling_buffer_class",
]
