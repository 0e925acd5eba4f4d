"""Hindsight rewards of recorded paths: where they come from, how they are checked, and how a path is rewritten with them."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rlkit_hfr.paths import Path, path_length


class TaskRewards(NamedTuple):
    """rewards: (K, T) float32; terminals: (K, T) bool; sparse_rewards: (K, T) float32, or None if there are none."""

    rewards: np.ndarray
    terminals: np.ndarray
    sparse_rewards: np.ndarray | None = None


RewardFunction = Callable[[Path, Sequence[int]], TaskRewards]


def resolve_rewards(env: Any, rewards: Callable[..., Any] | None = None) -> RewardFunction:
    """The hindsight rewards to use: the caller's own function, or the environment's `compute_rewards`, looked up through wrappers.

    Either may return a `TaskRewards`-like triple, ``(rewards, terminals)`` or rewards alone, each (K, T); a terminal that is not given
    is taken from the path. Raises ValueError if there is none.
    """
    function = rewards
    if function is None:
        function = _find_through_wrappers(env, "compute_rewards")
    if function is None:
        raise ValueError(
            f"no hindsight rewards: {type(env).__name__} has no compute_rewards(path, tasks); expected rewards (K, T) of a recorded path "
            "under K tasks; give the environment that method, or pass rewards=your_function to attach"
        )
    if not callable(function):
        raise ValueError(f"rewards must be a function (path, tasks) -> (K, T) rewards, got {type(function).__name__}")
    chosen = function
    return lambda path, tasks: as_task_rewards(chosen(path, tasks), path, len(tasks))


def _find_through_wrappers(env: Any, name: str) -> Callable[..., Any] | None:
    """`name` on the environment or on what it wraps: rlkit's `wrapped_env` and `_wrapped_env`, gym's `env`."""
    seen: list[Any] = []
    while env is not None and not any(env is other for other in seen):
        found = getattr(env, name, None)
        if found is not None:
            return found
        seen.append(env)
        env = next((inner for key in ("wrapped_env", "_wrapped_env", "env") if (inner := vars(env).get(key)) is not None), None)
    return None


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

