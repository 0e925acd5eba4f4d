"""What a recorded path is worth under other tasks, and how that is checked."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from rlkit_hfr.paths import PathDict, path_length


class TaskRewards(NamedTuple):
    """rewards: (K, T) float32; terminals: (K, T) bool; sparse_rewards: (K, T) float32, or None if there are none."""

    rewards: np.ndarray
    terminals: np.ndarray
    sparse_rewards: np.ndarray | None = None


RewardFunction = Callable[[PathDict, Sequence[int]], TaskRewards]


def as_task_rewards(result: Any, path: PathDict, num_tasks: int) -> TaskRewards:
    """Bring what a reward function returned to `TaskRewards`, or raise ValueError that says what was wrong with it."""
    parts = tuple(result) if isinstance(result, tuple) else (result,)
    shape = (num_tasks, path_length(path))
    if not 1 <= len(parts) <= 3:
        raise ValueError(f"a reward function must return rewards, (rewards, terminals) or (rewards, terminals, sparse), got {len(parts)} values")
    for name, part in zip(("rewards", "terminals", "sparse_rewards"), parts, strict=False):
        if part is not None and np.shape(part) != shape:
            raise ValueError(f"hindsight {name} must have shape (K, T) = {shape}, got {np.shape(part)}; return one row per task")
    terminals = parts[1] if len(parts) > 1 else None
    if terminals is None:
        terminals = np.broadcast_to(np.reshape(path["terminals"], (1, -1)), shape)
    sparse = parts[2] if len(parts) > 2 else None
    rewards = np.asarray(parts[0], np.float32)
    return TaskRewards(rewards, np.asarray(terminals, bool), None if sparse is None else np.asarray(sparse, np.float32))
