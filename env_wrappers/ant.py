"""Ant families: a goal on a half circle (sparse), a speed, a direction."""

from __future__ import annotations

import math
from functools import cache

import mujoco
import numpy as np

from env_wrappers.base import HindsightRewards, distance
from env_wrappers.mujoco_env import MujocoHindsightEnv, asset_path, with_shared_reward

_ASSET = "envs/mujoco/assets/ant.xml"


@cache
def _ant_model(gear: float) -> mujoco.MjModel:
    # a model of its own: gears differ between families
    model = mujoco.MjModel.from_xml_path(asset_path("gymnasium", _ASSET))
    model.actuator_gear[:, 0] = gear
    return model


class AntEnv(MujocoHindsightEnv):
    """Shared physics. Features end with `extra`, the part of the reward that all tasks
    share (control, contact, survival), and `done`, whether the torso left the heights
    0.2 to 1.0 m; an episode ends then, whatever the task.

    Observation (113): positions (15), velocities (14), contact forces clipped to +-1 (84).
    """

    package, asset = "gymnasium", _ASSET
    threads_help = True
    gear = 30.0
    control_weight, contact_weight, survive_reward = 5e-3, 5e-4, 0.05
    obs_dim = 113
    height_at = 2  # of the torso, in an observation

    def __init__(self, tasks: np.ndarray, seed: int | None = None) -> None:
        super().__init__(tasks, self.obs_dim, 8, seed=seed)
        self._torso = self.model.body("torso").id

    @classmethod
    def _model(cls) -> mujoco.MjModel:
        return _ant_model(cls.gear)

    def _forces(self) -> np.ndarray:
        """Contact forces, clipped: (84,)."""
        return np.minimum(np.maximum(self.data.cfrc_ext.ravel(), -1.0), 1.0)

    def _observe(self, forces: np.ndarray) -> np.ndarray:
        return np.concatenate([self.data.qpos, self.data.qvel, forces])

    def _reset(self) -> np.ndarray:
        self.reset_with_noise()
        return self._observe(self._forces())

    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        position = self.data.xpos[self._torso, :2]
        before = position.copy()
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, self.frame_skip)
        mujoco.mj_rnePostConstraint(self.model, self.data)  # fills cfrc_ext, which stays zero without it
        forces, qpos = self._forces(), self.data.qpos
        costs = self.control_weight * np.square(action).sum() + self.contact_weight * np.square(forces).sum()
        healthy = 0.2 <= qpos[2] <= 1.0 and math.isfinite(qpos.sum() + self.data.qvel.sum())
        return self._observe(forces), np.array(
            [*self._motion(before, position), self.survive_reward - costs, not healthy]
        )

    def ends_at(self, next_obs: np.ndarray) -> np.ndarray | None:
        height = next_obs[:, self.height_at]
        return ~((height >= 0.2) & (height <= 1.0) & np.isfinite(next_obs).all(axis=1))

    def _motion(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """The features of a family, from the torso's x and y (metres) before and after the step."""
        raise NotImplementedError


class AntGoal(AntEnv):
    """HFR's ant-goal: 4 minus the L1 distance within 0.8 m of a goal at 2 m on a half
    circle, else 4 minus the L1 norm of the goal.
    """

    tolerance = 0.8
    task_labels, paths_in_task_space = ("x (m)", "y (m)"), True

    def __init__(self, n_tasks: int = 130, task_seed: int = 1, seed: int | None = None) -> None:
        angles = np.random.default_rng(task_seed).permutation(np.linspace(0.0, np.pi, n_tasks))
        super().__init__(2.0 * np.stack([np.cos(angles), np.sin(angles)], axis=1), seed)

    def _motion(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return after

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        position = achieved[..., :2]
        off = np.abs(position.astype(np.float64) - task)
        near = distance(position, task) <= self.tolerance
        missed = np.where(near, off[..., 0] + off[..., 1], np.abs(task[..., 0]) + np.abs(task[..., 1]))
        return with_shared_reward(4.0 - missed, achieved)

    def goal_distance_of(self, achieved: np.ndarray, task: np.ndarray) -> np.ndarray:
        return distance(achieved[..., :2], task)

    def split_coordinate(self, tasks: np.ndarray) -> np.ndarray:
        """The angle of the goal, in radians."""
        return np.arctan2(tasks[:, 1], tasks[:, 0])


class AntVel(AntEnv):
    """HFR's ant-vel: 1 - |v - goal| for the forward speed v (m/s), goals uniform in [0, 3]."""

    task_labels = ("forward speed (m/s)",)

    def __init__(self, n_tasks: int = 180, task_seed: int = 3, seed: int | None = None) -> None:
        super().__init__(np.random.default_rng(task_seed).uniform(0.0, 3.0, size=(n_tasks, 1)), seed)

    def _motion(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return (after[:1] - before[:1]) / self.dt

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        return with_shared_reward(1.0 - np.abs(achieved[..., 0].astype(np.float64) - task[..., 0]), achieved)


class AntDir(AntEnv):
    """PEARL's ant-dir: the speed along an angle. Two tasks are forward and backward, more
    are uniform in [0, 2 pi).

    Stock gear, no contact forces in the observation (27).
    """

    task_labels = ("angle",)
    gear = 150.0
    control_weight, contact_weight, survive_reward = 0.5, 5e-4, 1.0
    obs_dim = 27
    height_at = 0

    def __init__(self, n_tasks: int = 2, task_seed: int = 1337, seed: int | None = None) -> None:
        angles = (
            np.random.default_rng(task_seed).uniform(0.0, 2.0 * np.pi, n_tasks)
            if n_tasks != 2
            else np.array([0.0, np.pi])
        )
        super().__init__(angles[:, None], seed)

    def _observe(self, forces: np.ndarray) -> np.ndarray:
        return np.concatenate([self.data.qpos[2:], self.data.qvel])

    def _motion(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return (after - before) / self.dt

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        velocity = achieved.astype(np.float64)
        return with_shared_reward(
            velocity[..., 0] * np.cos(task[..., 0]) + velocity[..., 1] * np.sin(task[..., 0]), achieved
        )
