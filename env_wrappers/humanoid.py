"""PEARL's humanoid-dir: walk along an angle."""

from __future__ import annotations

import mujoco
import numpy as np

from env_wrappers.base import HindsightRewards
from env_wrappers.mujoco_env import MujocoHindsightEnv, with_shared_reward


class HumanoidDir(MujocoHindsightEnv):
    """Paid by the speed of the centre of mass along the task's angle, uniform in [0, 2 pi).

    Features: displacement of the centre of mass a step over the physics' time step (2),
    the reward that all tasks share (survival, control, contact), done: the torso left
    the heights 1 to 2 m. Observation (376): positions but for x and y, velocities,
    inertias and velocities of the bodies, actuator and contact forces.
    """

    package, asset = "gymnasium", "envs/mujoco/assets/humanoid.xml"
    threads_help = True
    action_scale = 0.4
    task_labels = ("angle",)

    def __init__(self, n_tasks: int = 130, task_seed: int = 1337, seed: int | None = None) -> None:
        super().__init__(
            np.random.default_rng(task_seed).uniform(0.0, 2.0 * np.pi, size=(n_tasks, 1)), 376, 17, seed=seed
        )

    def _centre_of_mass(self) -> np.ndarray:
        mass = self.model.body_mass
        return (mass[:, None] * self.data.xipos[:, :2]).sum(axis=0) / mass.sum()

    def _observe(self) -> np.ndarray:
        data = self.data
        parts = (data.qpos[2:], data.qvel, data.cinert, data.cvel, data.qfrc_actuator, data.cfrc_ext)
        return np.concatenate([part.ravel() for part in parts])

    def _reset(self) -> np.ndarray:
        self.reset_with_uniform_noise(0.01)
        return self._observe()

    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        before = self._centre_of_mass()
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, self.frame_skip)
        mujoco.mj_rnePostConstraint(self.model, self.data)  # fills cfrc_ext, which stays zero without it
        motion = (self._centre_of_mass() - before) / self.model.opt.timestep
        shared = 5.0 - 0.1 * np.square(action).sum() - min(5e-7 * np.square(self.data.cfrc_ext).sum(), 10.0)
        return self._observe(), np.array([*motion, shared, float(not 1.0 <= self.data.qpos[2] <= 2.0)])

    def ends_at(self, next_obs: np.ndarray) -> np.ndarray | None:
        return ~((next_obs[:, 0] >= 1.0) & (next_obs[:, 0] <= 2.0))

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        motion = achieved.astype(np.float64)
        return with_shared_reward(
            0.25 * (motion[..., 0] * np.cos(task[..., 0]) + motion[..., 1] * np.sin(task[..., 0])), achieved
        )
