"""One step of several environments of a family."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple, TypeVar

import numpy as np

from env_wrappers import HindsightEnv

T = TypeVar("T")


class Steps(NamedTuple):
    """A step of each of N environments: next_obs (N, S), rewards (N,) float32, terminals (N,) bool, infos name -> (N, ...)."""

    next_obs: np.ndarray
    rewards: np.ndarray
    terminals: np.ndarray
    infos: dict[str, np.ndarray]


class Stepper:
    """Steps environments in `threads` threads, each with a share of them: the caller's own and others of `pool`."""

    def __init__(self, pool: Executor, threads: int) -> None:
        self._pool, self._threads = pool, threads

    def step(self, envs: Sequence[Any], tasks: Sequence[int], actions: np.ndarray) -> Steps:
        """tasks: what each environment was set to; actions: (N, A)."""
        if getattr(type(envs[0]), "step", None) is HindsightEnv.step:  # a class may override it
            return self._judged_together(envs, tasks, actions)
        results = self._each(lambda i: envs[i].step(actions[i]), len(envs))
        obs, rewards, terminals, infos = zip(*results, strict=True)
        keys = [key for key in infos[0] if all(key in info for info in infos)]
        columns = {key: np.asarray([info[key] for info in infos]) for key in keys}
        return Steps(np.stack(obs), np.asarray(rewards, np.float32), np.asarray(terminals, bool), columns)

    def _judged_together(self, envs: Sequence[HindsightEnv], tasks: Sequence[int], actions: np.ndarray) -> Steps:
        """The physics of each environment, and the rewards of all in one call."""
        physical = envs[0].physical(actions)
        obs, features = zip(*self._each(lambda i: envs[i].advance(physical[i]), len(envs)), strict=True)
        achieved = np.stack(features)
        result, figures = envs[0].judge(achieved, envs[0].tasks[list(tasks)])
        return Steps(np.stack(obs), result.rewards, result.terminals, {"achieved": achieved, **figures})

    def _each(self, work: Callable[[int], T], number: int) -> list[T]:
        """work(0), ..., work(number - 1), in order."""
        if self._threads == 1 or number == 1:
            return [work(i) for i in range(number)]

        def share(first: int) -> list[T]:
            return [work(i) for i in range(first, number, self._threads)]

        others = [self._pool.submit(share, first) for first in range(1, min(self._threads, number))]
        shares = [share(0), *(other.result() for other in others)]
        return [shares[i % self._threads][i // self._threads] for i in range(number)]
