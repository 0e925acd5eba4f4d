"""What can be said of a recorded path in hindsight, and the path rewritten with it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable, Protocol, Sequence

import numpy as np

from rlkit_hfr.paths import Infos, PathDict
from rlkit_hfr.rewards.task_rewards import RewardFunction, TaskRewards, until_terminal
from rlkit_hfr.rewards.vectors import VectorRewards
from rlkit_hfr.state import State

AFTER_TERMINAL = ("keep", "drop")

GoalDistances = Callable[[PathDict, Sequence[int]], np.ndarray]


class RewardLearner(Protocol):
    """A reward that is trained on what is collected."""

    @property
    def ready(self) -> bool:
        """Whether its rewards come of training. Until then nothing is relabeled, and no relabeler is told
        of what was collected."""

    def observe(self, paths: Sequence[PathDict], task: int) -> np.ndarray:
        """Note paths collected for `task`; returns the squared errors of their rewards as
        predicted so far, empty before any training.
        """

    def fit(self) -> None:
        """Train on what was noted."""

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


@dataclass(frozen=True)
class Hindsight:
    """What can be said of a recorded path under any task. goal_distances: (path, tasks) ->
    (K, T) distances to the tasks' goals in units of the tolerance, None where tasks are
    no goals; learner: None unless the rewards are learned; vectors: rewards of tasks by their
    vectors, None where they can't be told; after_terminal: whether a path under a task ends where the
    task's episode would have ended ("drop"), or keeps its further steps ("keep").
    """

    rewards: RewardFunction
    goal_distances: GoalDistances | None = None
    learner: RewardLearner | None = None
    vectors: VectorRewards | None = None
    after_terminal: str = "keep"

    def episode(self, rewards: TaskRewards) -> np.ndarray:
        """The steps that a path has under each task: (K, T) bool."""
        if self.after_terminal == "keep":
            return np.ones(rewards.terminals.shape, bool)
        return until_terminal(rewards.terminals)


def relabel_path(path: PathDict, rewards: TaskRewards, k: int) -> PathDict:
    """A new path with the rewards, terminals and sparse rewards of the k-th task; the path
    handed in is not edited.

    Every info is carried over; ``sparse_reward`` is recomputed where the path records it.
    """
    sparse = None if rewards.sparse_rewards is None else rewards.sparse_rewards[k]
    return {
        **path,
        "rewards": rewards.rewards[k].reshape(-1, 1),
        "terminals": rewards.terminals[k].reshape(-1, 1),
        "env_infos": _with_sparse_rewards(path.get("env_infos", {}), sparse),
    }


def warn_unless_own_rewards(path: PathDict, hindsight: np.ndarray, tasks: Sequence[int]) -> None:
    """Warn if hindsight rewards (T,) of each step's own task are not those that were recorded. tasks: the
    task of each step."""
    recorded = np.asarray(path["rewards"], np.float64).reshape(-1)
    wrong = np.flatnonzero(~np.isclose(recorded, hindsight, rtol=1e-3, atol=1e-3))
    if wrong.size:
        t = int(wrong[0])
        warnings.warn(
            f"hindsight rewards do not give back what a path of task {tasks[t]} recorded: step {t} was paid"
            f" {recorded[t]:.6g}, hindsight says {hindsight[t]:.6g}; relabeled and original data will"
            " disagree. A wrapper may rescale rewards or observations; pass rewards= that does the same",
            stacklevel=3,
        )


def _with_sparse_rewards(infos: Infos, sparse: np.ndarray | None) -> Infos:
    if sparse is None:
        return infos
    if isinstance(infos, Mapping):
        return {**infos, "sparse_reward": sparse} if "sparse_reward" in infos else infos
    return [
        {**info, "sparse_reward": value} if "sparse_reward" in info else info
        for info, value in zip(infos, sparse)
    ]
