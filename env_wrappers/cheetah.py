"""Half-Cheetah families: a speed (dense or sparse), a direction, a linear function of the state."""

from __future__ import annotations

from types import MappingProxyType

import mujoco
import numpy as np

from env_wrappers.base import HindsightRewards, Split, rewards_like
from env_wrappers.mujoco_env import MujocoHindsightEnv


class CheetahEnv(MujocoHindsightEnv):
    """Shared physics. Features: forward speed (m/s) and control cost 0.05 |a|^2.

    Observation (20): joint angles and torso height and pitch (8), velocities (9), torso position (3).
    """

    package, asset = "gymnasium", "envs/mujoco/assets/half_cheetah.xml"
    control_cost = 0.05
    obs_dim = 20

    def __init__(self, tasks: np.ndarray, seed: int | None = None) -> None:
        super().__init__(tasks, self.obs_dim, action_dim=6, seed=seed)
        self._torso = self.model.body("torso").id

    def _observe(self) -> np.ndarray:
        return np.concatenate([self.data.qpos[1:], self.data.qvel, self.data.xpos[self._torso]])

    def _reset(self) -> np.ndarray:
        self.reset_with_noise()
        return self._observe()

    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        before = float(self.data.qpos[0])  # a number of its own, not a view of what is about to change
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, self.frame_skip)
        obs, cost = self._observe(), self.control_cost * np.square(action).sum()
        return obs, self._features(obs, (self.data.qpos[0] - before) / self.dt, cost)

    def ends_at(self, next_obs: np.ndarray) -> np.ndarray | None:
        return np.zeros(len(next_obs), bool)

    def _features(self, obs: np.ndarray, speed: float, cost: float) -> np.ndarray:
        """What decides a family's rewards, the control cost last."""
        return np.array([speed, cost])

    @staticmethod
    def _speed(achieved: np.ndarray) -> np.ndarray:
        return achieved[..., 0].astype(np.float64)

    @staticmethod
    def _cost(achieved: np.ndarray) -> np.ndarray:
        return achieved[..., -1].astype(np.float64)


class CheetahVel(CheetahEnv):
    """PEARL's cheetah-vel. Task: the target speed, uniform in [0, 3] m/s. Reward: -|v - goal| - cost."""

    max_speed = 3.0
    # MIER section 5.2.1, and the two of its release
    splits = MappingProxyType(
        {
            "paper": Split(train=(0.0, 1.0), test=(0.5, 2.5), even=True),
            "medium": Split(train=(0.0, 2.5), test=(2.5, 3.0)),
            "hard": Split(train=(0.0, 1.5), test=(2.5, 3.0)),
        }
    )
    task_labels = ("forward speed (m/s)",)

    def __init__(self, n_tasks: int = 130, task_seed: int = 3, seed: int | None = None) -> None:
        super().__init__(
            np.random.default_rng(task_seed).uniform(0.0, self.max_speed, size=(n_tasks, 1)), seed
        )

    def sample_tasks(self, number: int, rng: np.random.Generator) -> np.ndarray:
        """New tasks of the distribution that `tasks` are of: (number, 1)."""
        return rng.uniform(0.0, self.max_speed, size=(number, 1))

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        return rewards_like(-np.abs(self._speed(achieved) - task[..., 0]) - self._cost(achieved))


class CheetahVelSparse(CheetahVel):
    """HFR's cheetah-vel-sparse: 2 - |v - goal| within `tolerance` m/s of the target speed,
    else 0, minus the control cost.
    """

    tolerance = 0.3

    def __init__(self, n_tasks: int = 130, task_seed: int = 1, seed: int | None = None) -> None:
        super().__init__(n_tasks, task_seed, seed)

    def goal_distance_of(self, achieved: np.ndarray, task: np.ndarray) -> np.ndarray:
        return np.abs(self._speed(achieved) - task[..., 0])

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        miss = self.goal_distance_of(achieved, task)
        return rewards_like(np.where(miss <= self.tolerance, 2.0 - miss, 0.0) - self._cost(achieved))


class CheetahDir(CheetahEnv):
    """PEARL's cheetah-dir: the speed forward or backward. Task: +1 or -1, in turn."""

    task_labels = ("forward speed (m/s)",)

    def __init__(self, n_tasks: int = 2, seed: int | None = None) -> None:
        super().__init__(np.where(np.arange(n_tasks) % 2, -1.0, 1.0)[:, None], seed)

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        return rewards_like(task[..., 0] * self._speed(achieved) - self._cost(achieved))


class CheetahHighdim(CheetahEnv):
    """HFR's cheetah-highdim: a linear reward on the next state, w . s' - cost, with s'
    normalised and w uniform in [-1, 1]^18.

    Observation and state (18): positions (9) and velocities (9). The normalisation is
    that of 15,000 states under actions uniform in [-0.8, 0.8], in episodes of 50 steps
    (`tests/env_wrappers/test_cheetah.py` makes it anew); it sets the scale of all
    returns.
    """

    obs_dim = 18
    state_mean = np.array([
        -0.111, -0.109, 0.05, 0.02, 0.044, -0.021, -0.012, -0.096, -0.085,
        -0.098, -0.057, 0.013, 0.024, -0.023, 0.021, 0.001, -0.02, -0.023,
    ])  # fmt: skip
    state_std = np.array([
        0.32, 0.056, 0.087, 0.201, 0.218, 0.218, 0.258, 0.234, 0.238,
        0.601, 0.644, 1.306, 4.398, 5.267, 5.523, 5.051, 5.026, 4.964,
    ])  # fmt: skip

    def __init__(self, n_tasks: int = 130, task_seed: int = 1, seed: int | None = None) -> None:
        super().__init__(np.random.default_rng(task_seed).uniform(-1.0, 1.0, size=(n_tasks, 18)), seed)

    def _observe(self) -> np.ndarray:
        return np.concatenate([self.data.qpos, self.data.qvel])

    def _features(self, obs: np.ndarray, speed: float, cost: float) -> np.ndarray:
        return np.append((obs - self.state_mean) / self.state_std, cost)

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        state = achieved.astype(np.float64)
        total = -state[..., 18]
        for axis in range(18):  # in a fixed order, so that batching cannot change a bit
            total = total + task[..., axis] * state[..., axis]
        return rewards_like(total)
