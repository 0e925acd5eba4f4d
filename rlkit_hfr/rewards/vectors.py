"""Rewards of task vectors: of tasks that are none of the training tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

import numpy as np

from rlkit_hfr.paths import PathDict
from rlkit_hfr.rewards.task_rewards import TaskRewards, as_task_rewards

Sample = Callable[[int, np.random.Generator], np.ndarray]


class VectorRewards:
    """Hindsight rewards by task vector; as a function of task indices it serves as `rewards` of `attach`.

    >>> rewards = VectorRewards(reward_of, vectors=goals, sample=lambda n, rng: rng.normal(size=(n, 2)))
    """

    def __init__(
        self,
        function: Callable[[PathDict, np.ndarray], object],
        vectors: np.ndarray | Sequence[Sequence[float]],
        sample: Sample,
    ) -> None:
        """function: (path, vectors (V, G)) -> rewards (V, T), (rewards, terminals) or (rewards, terminals,
        sparse rewards); vectors: (n_tasks, G), of each task by its index; sample: (number, generator) ->
        (number, G), new tasks of the family's distribution."""
        self.function = function
        self._sample = sample
        self.vectors = np.asarray(vectors, np.float64)
        if self.vectors.ndim != 2 or not np.isfinite(self.vectors).all():
            raise ValueError(
                f"vectors must be finite numbers (n_tasks, G), got shape {self.vectors.shape}; give one row"
                " per task"
            )

    def __call__(self, path: PathDict, tasks: Sequence[int]) -> TaskRewards:
        return self.of_vectors(path, self.vectors[np.asarray(tasks, np.int64)])

    def of_vectors(self, path: PathDict, vectors: np.ndarray) -> TaskRewards:
        """Rewards of a path under tasks that are given by their vectors (V, G)."""
        source = getattr(self.function, "__qualname__", type(self.function).__name__)
        return as_task_rewards(self.function(path, vectors), path, len(vectors), source)

    def sample(self, number: int, rng: np.random.Generator) -> np.ndarray:
        """`number` new tasks: (number, G). ValueError if that is not what the function gives."""
        drawn = np.asarray(self._sample(number, rng), np.float64)
        expected = (number, self.vectors.shape[1])
        if drawn.shape != expected or not np.isfinite(drawn).all():
            raise ValueError(
                f"sampled tasks must be finite numbers of shape {expected}, got {drawn.shape}; return one row"
                " per task"
            )
        return drawn
