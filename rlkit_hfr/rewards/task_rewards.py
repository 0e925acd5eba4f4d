"""Hindsight rewards of recorded paths: how they are checked, and how a path is rewritten with them."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from rlkit_hfr.paths import Path, path_length
from rlkit_hfr.state import State


class TaskRewards(NamedTuple):
    """rewards: (K, T) float32; terminals: (K, T) bool; sparse_rewards: (K, T) float32, or None if there are none."""

    rewards: np.ndarray
    terminals: np.ndarray
    sparse_rewards: np.ndarray | None = None


RewardFunction = Callable[[Path, Sequence[int]], TaskRewards]
GoalDistances = Callable[[Path, Sequence[int]], np.ndarray]


class RewardLearner(Protocol):
    """A reward that is trained on what is collected."""

    def observe(self, paths: Sequence[Path], task: Any) -> np.ndarray:
        """Note paths collected for `task`; returns the squared errors of their rewards as predicted so far, empty before any training."""

    def fit(self) -> None:
        """Train on what was noted."""

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


@dataclass(frozen=True)
class Hindsight:
    """What can be said of a recorded path under any task. goal_distances: (path, tasks) -> (K, T) distances to the tasks' goals in units of
    the tolerance, None where tasks are no goals; learner: None unless the rewards are learned."""

    rewards: RewardFunction
    goal_distances: GoalDistances | None = None
    learner: RewardLearner | None = None


def as_task_rewards(result: Any, path: Path, num_tasks: int) -> TaskRewards:
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


def relabel_path(path: Path, rewards: TaskRewards, k: int) -> dict[str, Any]:
    """A new path with the rewards, terminals and sparse rewards of the k-th task; the path handed in is not edited.

    Every info is carried over; ``sparse_reward`` is recomputed where the path records it.
    """
    sparse = None if rewards.sparse_rewards is None else rewards.sparse_rewards[k]
    return {
        **path,
        "rewards": rewards.rewards[k].reshape(-1, 1),
        "terminals": rewards.terminals[k].reshape(-1, 1),
        "env_infos": _with_sparse_rewards(path.get("env_infos", {}), sparse),
    }


def _with_sparse_rewards(infos: Any, sparse: np.ndarray | None) -> Any:
    if sparse is None:
        return infos
    if isinstance(infos, Mapping):
        return {**infos, "sparse_reward": sparse} if "sparse_reward" in infos else infos
    return [{**info, "sparse_reward": value} if "sparse_reward" in info else info for info, value in zip(infos, sparse, strict=True)]

