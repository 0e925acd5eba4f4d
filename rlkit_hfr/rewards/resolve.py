"""Where the hindsight rewards of an environment come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rlkit_hfr.paths import PathDict, info_rows, path_length
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.learned import LearnedReward
from rlkit_hfr.rewards.model import ModelReward
from rlkit_hfr.rewards.stock import stock_rewards
from rlkit_hfr.rewards.task_rewards import RewardFunction, as_task_rewards
from rlkit_hfr.rewards.task_vectors import task_vectors
from rlkit_hfr.rewards.vectors import VectorRewards

if TYPE_CHECKING:
    from rlkit_hfr.context_model import InnerSteps
    from rlkit_hfr.mier.agent import TaskModel

LEARNED, MODEL = "learned", "model"


def resolve_hindsight(
    env: object,
    tasks: Sequence[int],
    rewards: Callable[..., object] | str | None,
    seed: int,
    own_model: tuple[TaskModel, InnerSteps] | None = None,
) -> Hindsight:
    """Rewards as `resolve_rewards` finds them, or those of a model with generators from
    `seed`; and distances to goals, where the environment has a ``goal_distances(path,
    tasks)``.

    own_model: what `ModelReward` takes for "model", None to train one.
    """
    if isinstance(rewards, VectorRewards) and max(tasks) >= len(rewards.vectors):
        raise ValueError(
            f"vectors must have a row for each task up to {max(tasks)}, got {len(rewards.vectors)} rows"
        )
    layers = _layers(env)
    goal_distances = (
        _attribute(env, "goal_distances")
        if all(getattr(layer, "has_goals", True) for layer in layers)
        else None
    )
    if rewards not in (LEARNED, MODEL):
        return Hindsight(resolve_rewards(env, rewards), goal_distances, vectors=_vectors(env, rewards))
    try:
        terminals: RewardFunction | None = resolve_rewards(env)
    except ValueError:
        terminals = None
    learner: LearnedReward | ModelReward
    if rewards == MODEL:
        learner = ModelReward(tasks, terminals, seed, own_model)
    else:
        learner = LearnedReward(task_vectors(layers, tasks), terminals, seed)
    return Hindsight(learner.rewards, goal_distances, learner)


def _vectors(env: object, rewards: Callable[..., object] | str | None) -> VectorRewards | None:
    """Rewards by task vector: the caller's `VectorRewards`, or else those of an environment with
    ``rewards_of_vectors(path, vectors)``, ``tasks`` and ``sample_tasks(number, rng)``.
    """
    if isinstance(rewards, VectorRewards):
        return rewards
    for layer in _layers(env) if rewards is None else ():
        names = ("rewards_of_vectors", "tasks", "sample_tasks")
        function, vectors, sample = (getattr(layer, name, None) for name in names)
        if callable(function) and callable(sample) and vectors is not None:
            return VectorRewards(function, vectors, sample)
    return None


def resolve_rewards(env: object, rewards: Callable[..., object] | str | None = None) -> RewardFunction:
    """The hindsight rewards to use, the first of: the caller's own function; the
    environment's ``compute_rewards(path, tasks)``; the HFR release's ``reward(info,
    goal)`` with ``get_train_goals``; what is known of the stock environments of oyster
    and rlkit.

    All are looked up through wrappers. A function may return a `TaskRewards`-like
    triple, ``(rewards, terminals)`` or rewards alone, each (K, T); a terminal that is
    not given is taken from the path. Raises ValueError if there is none.
    """
    if rewards is not None and not callable(rewards):
        got = repr(rewards) if isinstance(rewards, str) else type(rewards).__name__
        raise ValueError(
            f'rewards must be a function (path, tasks) -> (K, T) rewards, "learned" or "model", got {got}'
        )
    chosen = (
        rewards
        or _attribute(env, "compute_rewards")
        or _release_rewards(env)
        or stock_rewards(innermost(env))
    )
    if chosen is None:
        raise ValueError(
            f"no hindsight rewards: {type(innermost(env)).__name__} has no compute_rewards(path, tasks), and"
            " it is no stock environment whose paths record enough; expected rewards (K, T) of a recorded"
            " path under K tasks; give the environment that method, wrap it in one of"
            " rlkit_hfr.rewards.recording, or pass rewards=your_function to attach"
        )
    source = getattr(chosen, "__qualname__", type(chosen).__name__)
    return lambda path, tasks: as_task_rewards(chosen(path, tasks), path, len(tasks), source)


def _layers(env: object) -> list[object]:
    """The environment and what it wraps, outermost first: rlkit's `_wrapped_env`, gym's `env`."""
    layers: list[object] = []
    while env is not None and not any(env is other for other in layers):
        layers.append(env)
        inner = getattr(env, "__dict__", {})
        env = next(
            (inner[key] for key in ("wrapped_env", "_wrapped_env", "env") if inner.get(key) is not None), None
        )
    return layers


def innermost(env: object) -> object:
    return _layers(env)[-1]


def _attribute(env: object, name: str) -> Callable[..., Any] | None:
    return next((found for layer in _layers(env) if callable(found := getattr(layer, name, None))), None)


def _release_rewards(env: object) -> Callable[[PathDict, Sequence[int]], object] | None:
    """michaelwan11/hfr: envs have reward(info, goal) -> reward, (reward, done) or (reward,
    sparse reward, done), and get_train_goals(n) -> the first n goals.

    The convention is one step and one goal at a time, and so is this.
    """
    reward, get_goals = _attribute(env, "reward"), _attribute(env, "get_train_goals")
    if reward is None or get_goals is None:
        return None

    def rewards(path: PathDict, tasks: Sequence[int]) -> object:
        goals = get_goals(max(tasks) + 1)
        shape = (len(tasks), path_length(path))
        values, sparse, terminals = (
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.zeros(shape, bool),
        )
        infos, has_sparse = info_rows(path), False
        for k, task in enumerate(tasks):
            for t, info in enumerate(infos):
                result = reward(info, goals[task])
                parts = result if isinstance(result, tuple) else (result, False)
                has_sparse = len(parts) == 3
                values[k, t], sparse[k, t], terminals[k, t] = parts[0], parts[1], parts[-1]
        return (values, terminals, sparse) if has_sparse else (values, terminals)

    return rewards
