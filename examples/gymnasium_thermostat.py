"""A Gymnasium environment with several tasks, served by the adapter.

python -m rlkit_hfr train --env examples.gymnasium_thermostat:Thermostat --set num_iterations=3
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np

from env_wrappers import HindsightRewards, path_info


class Thermostat(gymnasium.Env[np.ndarray, np.ndarray]):
    """Bring a room to the temperature that the task names. Actions are in [-3, 3] degrees a
    step; an episode is truncated after `hours` steps, and ends for good at 40 degrees.
    """

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = gymnasium.spaces.Box(-3.0, 3.0, (1,), np.float32)
    default_settings: ClassVar[dict[str, Any]] = dict(
        num_iterations=10, num_initial_steps=40, num_tasks_sample=3, num_steps_prior=20,
        num_extra_rl_steps_posterior=20, num_train_steps_per_itr=20, num_evals=1, num_steps_per_eval=20,
        max_path_length=20, meta_batch=3, batch_size=16, embedding_batch_size=16, net_size=16,
        num_initial_states=8,
    )  # fmt: skip

    def __init__(self, hours: int = 8) -> None:
        self.tasks = np.linspace(15.0, 25.0, 5)
        self.hours = hours
        self._goal = self.tasks[0]
        self._room = 20.0
        self._passed = 0

    def reset_task(self, idx: int) -> None:
        self._goal = self.tasks[idx]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._room = self.np_random.uniform(10.0, 30.0)
        self._passed = 0
        return np.array([self._room], np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._room += float(action[0])
        self._passed += 1
        reached = np.float32(self._room)
        reward = float(self._rewards(reached, self._goal))
        return (
            np.array([reached]),
            reward,
            bool(reached > 40.0),
            self._passed >= self.hours,
            {"room": reached},
        )

    @staticmethod
    def _rewards(room: np.ndarray | np.float32, goal: np.ndarray) -> np.ndarray:
        """One function for `step` and for hindsight, of what the info records."""
        return (-np.abs(np.asarray(room, np.float64) - goal)).astype(np.float32)

    def compute_rewards(self, path: dict[str, Any], tasks: Sequence[int]) -> HindsightRewards:
        room = path_info(path, "room")[None]  # (1, T)
        rewards = self._rewards(room, self.tasks[list(tasks)][:, None])
        return HindsightRewards(rewards, np.broadcast_to(room > 40.0, rewards.shape))
