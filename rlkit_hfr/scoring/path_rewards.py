"""What paths would have earned under the candidate tasks: the rewards, returns and goals that
relabelers ask of. No network is asked here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlkit_hfr.paths import PathDict, context_rows, info_column, path_length
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.rewards.vectors import VectorRewards
from rlkit_hfr.scoring.host_view import HostView

NO_GOALS = (
    "this method needs goals: the environment has no goal_distances(path, tasks) -> (K, T) distances in units"
    " of the tolerance; choose another method or give the environment that function"
)

NO_VECTORS = (
    "this method needs rewards of task vectors: the environment has no rewards_of_vectors(path, vectors) with"
    " tasks and sample_tasks(number, rng); choose another method, give the environment these, or pass"
    " rewards=VectorRewards(...)"
)


class PathRewards:
    """Rewards of paths under K candidate tasks. Those of a path are worked out once, until
    `forget_rewards`.
    """

    def __init__(self, networks: HostView, hindsight: Hindsight, candidate_tasks: Sequence[int]) -> None:
        self.networks = networks
        self.candidate_tasks = list(candidate_tasks)
        self._hindsight = hindsight
        self._rewards: dict[int, TaskRewards] = {}

    def task_rewards(self, path: PathDict) -> TaskRewards:
        """Hindsight rewards of a path under all K candidate tasks, worked out once until `forget_rewards`."""
        if id(path) not in self._rewards:
            self._rewards[id(path)] = self._hindsight.rewards(path, self.candidate_tasks)
        return self._rewards[id(path)]

    def episode(self, path: PathDict) -> np.ndarray:
        """The steps that a path has under each candidate task, which may end its episode early:
        (K, T) bool. No reward is asked for where it does not."""
        if self._hindsight.after_terminal == "keep":
            return np.ones((len(self.candidate_tasks), path_length(path)), bool)
        return self._hindsight.episode(self.task_rewards(path))

    def forget_rewards(self) -> None:
        """The paths asked about so far may cease to exist, and others take their identity."""
        self._rewards.clear()

    def hindsight_rewards(self, path: PathDict, tasks: Sequence[int]) -> TaskRewards:
        """Hindsight rewards of a path under any tasks, worked out anew."""
        return self._hindsight.rewards(path, tasks)

    def context_of(self, path: PathDict) -> np.ndarray:
        """The context rows of a path with the rewards it records: (T, D)."""
        rewards = info_column(path, "sparse_reward") if self.networks.sparse_rewards else path["rewards"]
        if rewards is None:
            rewards = np.zeros_like(path["rewards"])  # as hosts store it that find none
        return context_rows(path, rewards, self.networks.layout.with_next_obs)

    def context_rewards(self, path: PathDict, tasks: Sequence[int] | None = None) -> np.ndarray:
        """What the context's reward column holds under each of the tasks (None: the candidates): (K, T)."""
        return self._seen_by_context(
            self.task_rewards(path) if tasks is None else self.hindsight_rewards(path, tasks)
        )

    def _seen_by_context(self, rewards: TaskRewards) -> np.ndarray:
        if not self.networks.sparse_rewards:
            return rewards.rewards
        if rewards.sparse_rewards is None:
            raise ValueError(
                "sparse_rewards is on but the hindsight rewards have no sparse part; return (rewards,"
                " terminals, sparse_rewards)"
            )
        return rewards.sparse_rewards

    def returns(self, paths: Sequence[PathDict], discount: float, of_context: bool = False) -> np.ndarray:
        """Discounted, unscaled returns of N paths under all K candidate tasks: (N, K).
        of_context: of the rewards that the context sees.
        """
        totals = []
        for path in paths:
            rewards = self.context_rewards(path) if of_context else self.task_rewards(path).rewards
            totals.append(_discounted(rewards, self.episode(path), discount))
        return np.stack(totals)

    @property
    def learns_rewards(self) -> bool:
        return self._hindsight.learner is not None

    def collected(self, paths: Sequence[PathDict], task: int) -> np.ndarray:
        """Tell a reward that is learned of paths collected for `task`; returns its squared
        errors on them, none if nothing is learned or the task is no candidate.
        """
        learner = self._hindsight.learner
        if learner is None or task not in self.candidate_tasks:
            return np.zeros(0)
        return learner.observe(paths, task)

    def has_goals(self) -> bool:
        return self._hindsight.goal_distances is not None

    def goal_distances(self, path: PathDict, tasks: Sequence[int] | None = None) -> np.ndarray:
        """How far each step is from the goal of each of the tasks (None: the candidates), in
        units of the goal's tolerance: (K, T). ValueError if there are no goals.
        """
        if self._hindsight.goal_distances is None:
            raise ValueError(NO_GOALS)
        return self._hindsight.goal_distances(path, self.candidate_tasks if tasks is None else tasks)

    def rewarded_steps(self, path: PathDict, task: int) -> np.ndarray | None:
        """Which steps of a path of `task` get a sparse reward, or are within the tolerance
        of its goal: (T,) bool; None if neither exists.
        """
        sparse = info_column(path, "sparse_reward")
        if sparse is not None:
            return sparse[:, 0] > 0.0
        return (
            None
            if self._hindsight.goal_distances is None
            else self._hindsight.goal_distances(path, [task])[0] <= 1.0
        )

    def has_vectors(self) -> bool:
        return self._hindsight.vectors is not None

    @property
    def _vectors(self) -> VectorRewards:
        if self._hindsight.vectors is None:
            raise ValueError(NO_VECTORS)
        return self._hindsight.vectors

    def task_vectors(self) -> np.ndarray:
        """The vectors of the candidate tasks: (K, G)."""
        return self._vectors.vectors[np.asarray(self.candidate_tasks, np.int64)]

    def sample_vectors(self, number: int, rng: np.random.Generator) -> np.ndarray:
        """New tasks of the family's distribution: (number, G)."""
        return self._vectors.sample(number, rng)

    def vector_returns(self, path: PathDict, vectors: np.ndarray) -> np.ndarray:
        """Discounted, unscaled returns of the context's rewards under tasks by their vectors (V, G): (V,)."""
        rewards = self._vectors.of_vectors(path, vectors)
        steps = self._hindsight.episode(rewards)
        return _discounted(self._seen_by_context(rewards), steps, self.networks.discount)


def _discounted(rewards: np.ndarray, steps: np.ndarray, discount: float) -> np.ndarray:
    """Discounted sums of rewards (K, T) over `steps` (K, T) bool: (K,)."""
    return np.where(steps, rewards, 0.0).astype(np.float64) @ discount ** np.arange(rewards.shape[1])
