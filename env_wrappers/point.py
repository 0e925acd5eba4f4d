"""Point robots: the two of PEARL and the Four-Corners of HFR section 4 (figure 1)."""

from __future__ import annotations

import numpy as np

from env_wrappers.base import HindsightEnv, HindsightRewards, distance, rewards_like


class PointRobot(HindsightEnv):
    """A point on the plane that moves by its action, at most 0.1 per axis and step.
    Reward: minus the distance to the goal.

    Goals and starts are uniform in [-1, 1]^2.
    """

    action_scale = 0.1
    task_labels, paths_in_task_space = ("x", "y"), True

    def __init__(self, n_tasks: int = 100, task_seed: int = 1337, seed: int | None = None) -> None:
        super().__init__(
            self.make_tasks(n_tasks, np.random.default_rng(task_seed)), obs_dim=2, action_dim=2, seed=seed
        )
        self._state = np.zeros(2)

    @staticmethod
    def make_tasks(n_tasks: int, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(-1.0, 1.0, size=(n_tasks, 2))

    def sample_tasks(self, number: int, rng: np.random.Generator) -> np.ndarray:
        """New tasks of the distribution that `tasks` are of: (number, G)."""
        return self.make_tasks(number, rng)

    def _start(self) -> np.ndarray:
        return self._rng.uniform(-1.0, 1.0, size=2)

    def _reset(self) -> np.ndarray:
        self._state = self._start()
        return self._state.copy()

    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self._state = self._state + action
        return self._state.copy(), self._state

    def expert_actions(self, obs: np.ndarray, tasks: np.ndarray) -> np.ndarray:
        """Straight to the goal: observations (N, 2), task vectors (N, 2) -> actions (N, 2)."""
        return np.clip((tasks - obs) / self.action_scale, -1.0, 1.0)

    def ends_at(self, next_obs: np.ndarray) -> np.ndarray | None:
        return np.zeros(len(next_obs), bool)

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        return rewards_like(-distance(achieved, task))


class SparsePointRobot(PointRobot):
    """Goals on the unit half circle, start at the origin. The dense reward trains the
    critic; the sparse one (1 - d within `tolerance`, else 0) is what the context and
    the evaluation see.
    """

    tolerance = 0.2

    def split_coordinate(self, tasks: np.ndarray) -> np.ndarray:
        """The angle of the goal, in radians."""
        return np.arctan2(tasks[:, 1], tasks[:, 0])

    @staticmethod
    def make_tasks(n_tasks: int, rng: np.random.Generator) -> np.ndarray:
        angles = rng.permutation(np.linspace(0.0, np.pi, n_tasks))
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def sample_tasks(self, number: int, rng: np.random.Generator) -> np.ndarray:
        angles = rng.uniform(0.0, np.pi, number)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def _start(self) -> np.ndarray:
        return np.zeros(2)

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        d = distance(achieved, task)
        return rewards_like(-d, sparse=np.where(d <= self.tolerance, 1.0 - d, 0.0))


class FourCorners(PointRobot):
    """HFR figure 1: reach one of the corners (+-1, +-1) from the centre; -1 a step, 0 and
    termination within `tolerance` of the goal, -3 inside the penalty square of the
    goal's own quadrant, which is what tells the tasks apart near the start.
    """

    tolerance = 0.2
    square = (0.1, 0.5)

    def __init__(self, n_tasks: int = 4, seed: int | None = None) -> None:
        if n_tasks != 4:
            raise ValueError(f"four-corners has exactly 4 tasks, got n_tasks={n_tasks}")
        super().__init__(n_tasks, seed=seed)

    @staticmethod
    def make_tasks(n_tasks: int, rng: np.random.Generator) -> np.ndarray:
        return np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])

    def sample_tasks(self, number: int, rng: np.random.Generator) -> np.ndarray:
        return self.tasks[rng.integers(len(self.tasks), size=number)]

    def _start(self) -> np.ndarray:
        return np.zeros(2)

    def ends_at(self, next_obs: np.ndarray) -> np.ndarray | None:
        return None  # which corner ends an episode depends on the task

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        solved = distance(achieved, task) <= self.tolerance
        # Along each axis, the distance from the centre towards the goal's side; exact,
        # because the corners are +-1.
        towards = achieved.astype(np.float64) * task
        low, high = self.square
        inside = (
            (low < towards[..., 0])
            & (towards[..., 0] < high)
            & (low < towards[..., 1])
            & (towards[..., 1] < high)
        )
        return rewards_like(np.where(solved, 0.0, np.where(inside, -3.0, -1.0)), solved)
