"""One step of several environments of a family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import NamedTuple, TypeGuard, TypeVar

import numpy as np

from env_wrappers import HindsightEnv
from rlkit_hfr.paths import Info, is_truncated
from rlkit_hfr.protocols import TaskEnv

T = TypeVar("T")


class Steps(NamedTuple):
    """A step of each of N environments: next_obs (N, S), rewards (N,) float32, terminals (N,) bool.

    figures: infos that all of them have, name -> (N, ...); infos: what each has of its own.
    truncated: (N,) bool, whose episode the environment cut short without a terminal; None
    where there is no such thing.
    """

    next_obs: np.ndarray
    rewards: np.ndarray
    terminals: np.ndarray
    figures: Mapping[str, np.ndarray]
    infos: Sequence[Info]
    truncated: np.ndarray | None = None


class Stepper:
    """Steps environments in `threads` threads, each with a share of them: the caller's own
    and others of `pool`.
    """

    def __init__(self, pool: Executor, threads: int) -> None:
        self._pool = pool
        self._threads = threads

    def step(self, envs: Sequence[TaskEnv], actions: np.ndarray) -> Steps:
        """actions: (N, A)."""
        if _step_as_declared(envs):
            return self._judged_together(envs, actions)
        obs, rewards, done, infos = zip(
            *self._each(lambda i: envs[i].step(actions[i]), len(envs)), strict=True
        )
        shape = len(envs)  # some environments give rewards and terminals of shape (1,)
        timed_out = np.array([bool(info.get("TimeLimit.truncated", False)) for info in infos])
        ended = np.asarray(done, bool).reshape(shape) & ~timed_out  # gym's, with done=True
        return Steps(
            next_obs=np.stack(obs),
            rewards=np.asarray(rewards, np.float32).reshape(shape),
            terminals=ended,
            figures={},
            infos=infos,
            truncated=np.array([is_truncated(info) for info in infos]) & ~ended,
        )

    def _judged_together(self, envs: Sequence[HindsightEnv], actions: np.ndarray) -> Steps:
        """The physics of each environment, and the rewards of all in one call."""
        number = len(envs)
        obs, features = zip(*self._each(lambda i: envs[i].advance(actions[i]), number), strict=True)
        achieved = np.stack(features)
        result, figures = envs[0].judge(achieved, np.stack([env._goal for env in envs]))
        terminals = np.broadcast_to(np.asarray(result.terminals, bool), (number,))
        return Steps(
            next_obs=np.stack(obs),
            rewards=np.asarray(result.rewards, np.float32),
            terminals=terminals,
            figures={"achieved": achieved, **figures},
            infos=[{}] * number,
        )

    def _each(self, work: Callable[[int], T], number: int) -> list[T]:
        """work(0), ..., work(number - 1), in order."""
        if self._threads == 1 or number == 1:
            return [work(i) for i in range(number)]

        def share(first: int) -> list[T]:
            return [work(i) for i in range(first, number, self._threads)]

        others = [self._pool.submit(share, first) for first in range(1, min(self._threads, number))]
        shares = [share(0), *(other.result() for other in others)]
        return [shares[i % self._threads][i // self._threads] for i in range(number)]


def _step_as_declared(envs: Sequence[TaskEnv]) -> TypeGuard[Sequence[HindsightEnv]]:
    """Whether a step of these environments, all of one family, is that of `HindsightEnv`, and no
    class, wrapper or patch has put another in its place.
    """
    env = envs[0]
    kind = type(env)
    return (
        isinstance(env, HindsightEnv)
        and kind.step is HindsightEnv.step
        and kind._goal is HindsightEnv._goal
        and "step" not in vars(env)
    )
