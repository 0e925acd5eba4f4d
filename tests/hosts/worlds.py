"""Two point robots in numpy alone, so that the stand-ins run wherever the plugin does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Mapping, Sequence

import numpy as np

OBS, ACT, Z = 2, 2, 3  # columns of observations, actions and latents


class PointWorld:
    """A point that moves by its action, at most 0.1 per axis and step. Reward: minus the
    distance to the goal.
    """

    observation_space = action_space = SimpleNamespace(shape=(2,))

    def __init__(self, n_tasks: int, seed: int) -> None:
        self.tasks = self.goals(n_tasks)
        self._rng, self._goal, self._state = np.random.default_rng(seed), self.tasks[0], np.zeros(2)

    @staticmethod
    def goals(n_tasks: int) -> np.ndarray:
        return np.random.default_rng(1337).uniform(-1.0, 1.0, size=(n_tasks, 2))

    def reset_task(self, idx: int) -> np.ndarray:
        self._goal = self.tasks[idx]
        return self.reset()

    def reset(self) -> np.ndarray:
        self._state = self._rng.uniform(-1.0, 1.0, size=2)
        return self._state

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, dict[str, Any]]:
        self._state = self._state + 0.1 * np.clip(action, -1.0, 1.0)
        achieved = self._state.astype(np.float32)
        rewards, _, *sparse = self.judge(achieved, self._goal)
        info = {"achieved": achieved, **({"sparse_reward": float(sparse[0])} if sparse else {})}
        return self._state, float(rewards), False, info

    def compute_rewards(self, path: Mapping[str, Any], tasks: Sequence[int]) -> tuple[np.ndarray, ...]:
        return self.rewards_of_vectors(path, self.tasks[np.asarray(tasks)])

    def rewards_of_vectors(self, path: Mapping[str, Any], vectors: np.ndarray) -> tuple[np.ndarray, ...]:
        infos = path["env_infos"]
        achieved = infos["achieved"] if isinstance(infos, dict) else [info["achieved"] for info in infos]
        return self.judge(np.asarray(achieved)[None], vectors[:, None])

    def sample_tasks(self, number: int, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(-1.0, 1.0, size=(number, 2))

    def judge(self, achieved: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, ...]:
        """Rewards and terminals of steps (..., 2) under goals (..., 2), which broadcast."""
        miss = self.miss(achieved, goal)
        return np.float32(-miss), np.zeros(np.shape(miss), bool)

    @staticmethod
    def miss(achieved: np.ndarray, goal: np.ndarray) -> np.ndarray:
        dx, dy = np.moveaxis(achieved.astype(np.float64) - goal, -1, 0)
        return np.sqrt(dx * dx + dy * dy)


class SparsePointWorld(PointWorld):
    """Goals on the unit half circle; the context sees 1 - distance within 0.2 of the goal, else 0."""

    @staticmethod
    def goals(n_tasks: int) -> np.ndarray:
        angles = np.linspace(0.0, np.pi, n_tasks)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def reset(self) -> np.ndarray:
        self._state = np.zeros(2)
        return self._state

    def judge(self, achieved: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, ...]:
        miss = self.miss(achieved, goal)
        return (*super().judge(achieved, goal), np.float32(np.where(miss <= 0.2, 1.0 - miss, 0.0)))
