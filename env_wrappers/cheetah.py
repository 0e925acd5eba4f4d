"""Half-Cheetah families: run at a given speed, with a dense or a sparse reward."""
from __future__ import annotations

import mujoco
import numpy as np

from env_wrappers.base import HindsightRewards, rewards_like
from env_wrappers.mujoco_env import MujocoHindsightEnv


class CheetahVel(MujocoHindsightEnv):
    """PEARL's cheetah-vel. Features: forward speed (m/s) and control cost 0.05 |a|^2; task: the target speed, uniform in [0, 3] m/s.

    Observation (20): joint angles and torso height and pitch (8), velocities (9), torso position (3). Reward: -|v - goal| - cost.
    """

    package, asset = "gymnasium", "envs/mujoco/assets/half_cheetah.xml"
    control_cost = 0.05
    max_speed = 3.0

    def __init__(self, n_tasks: int = 130, task_seed: int = 3, seed: int | None = None) -> None:
        tasks = np.random.default_rng(task_seed).uniform(0.0, self.max_speed, size=(n_tasks, 1))
        super().__init__(tasks, obs_dim=20, action_dim=6, seed=seed)
        self._torso = self.model.body("torso").id

    def _observe(self) -> np.ndarray:
        return np.concatenate([self.data.qpos[1:], self.data.qvel, self.data.xpos[self._torso]])

    def _reset(self) -> np.ndarray:
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] += self._rng.uniform(-0.1, 0.1, size=self.model.nq)
        self.data.qvel[:] += 0.1 * self._rng.standard_normal(self.model.nv)
        mujoco.mj_forward(self.model, self.data)
        return self._observe()

    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        before = self.data.qpos[0]
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, self.frame_skip)
        speed = (self.data.qpos[0] - before) / self.dt
        return self._observe(), np.array([speed, self.control_cost * np.square(action).sum()], dtype=np.float32)

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        return rewards_like(-self._miss(achieved, task) - achieved[..., 1].astype(np.float64))

    @staticmethod
    def _miss(achieved: np.ndarray, task: np.ndarray) -> np.ndarray:
        return np.abs(achieved[..., 0].astype(np.float64) - task[..., 0])


class CheetahVelSparse(CheetahVel):
    """HFR's cheetah-vel-sparse: 2 - |v - goal| within `tolerance` m/s of the target speed, else 0, minus the control cost."""

    tolerance = 0.3

    def __init__(self, n_tasks: int = 130, task_seed: int = 1, seed: int | None = None) -> None:
        super().__init__(n_tasks, task_seed, seed)

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        miss = self._miss(achieved, task)
        bonus = np.where(miss <= self.tolerance, 2.0 - miss, 0.0)
        return rewards_like(bonus - achieved[..., 1].astype(np.float64))
