"""Task families whose tasks differ in their dynamics, in the manner of rand_param_envs:
masses, inertias, damping and friction.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from functools import cache

import mujoco
import numpy as np

from env_wrappers.ant import AntGoal
from env_wrappers.base import HindsightEnv, HindsightRewards, PathDict, rewards_like
from env_wrappers.cheetah import CheetahVelSparse
from env_wrappers.mujoco_env import MujocoHindsightEnv, asset_path

# field of the model -> base of its multipliers
_FIELDS = {"body_mass": 1.5, "body_inertia": 1.5, "dof_damping": 1.3, "geom_friction": 1.5}


class RandomDynamics(MujocoHindsightEnv):
    """Every entry of the fields is multiplied by base^u, u uniform in [-L, L] and drawn
    once per task: L = `dynamics_range`.

    Each environment has a model of its own, which `reset_task` writes from the nominal one.
    """

    dynamics_seed: int
    dynamics_range: float
    _drawn: tuple[int, np.ndarray] | None = None  # how many dynamics, and which of them are the tasks
    unpickled = (*MujocoHindsightEnv.unpickled, "_nominal", "_scratch", "_multipliers")

    def _build(self) -> None:
        nominal = self._model()
        self._nominal = {name: getattr(nominal, name).copy() for name in _FIELDS}
        number, rows = self._drawn or (len(self.tasks), np.arange(len(self.tasks)))
        multipliers = dynamics_multipliers(nominal, number, self.dynamics_seed, self.dynamics_range)
        self._multipliers = {name: values[rows] for name, values in multipliers.items()}
        self.model = copy.copy(nominal)
        self.data = mujoco.MjData(self.model)
        self._scratch = mujoco.MjData(self.model)
        self._task_changed()

    def keep_tasks(self, rows: np.ndarray) -> None:
        number, kept = self._drawn or (len(self.tasks), np.arange(len(self.tasks)))
        self._drawn = number, kept[rows]
        self._multipliers = {name: values[rows] for name, values in self._multipliers.items()}
        super().keep_tasks(rows)

    def _task_changed(self) -> None:
        for name, nominal in self._nominal.items():
            getattr(self.model, name)[:] = nominal * self._multipliers[name][self._task_idx]
        # inverse weights and subtree masses follow from what was written
        mujoco.mj_setConst(self.model, self._scratch)


def dynamics_multipliers(
    model: mujoco.MjModel, n_tasks: int, seed: int, dynamics_range: float
) -> dict[str, np.ndarray]:
    """Of each field: (n_tasks, *shape of the field)."""
    if not 0.0 <= dynamics_range < np.inf:
        raise ValueError(f"dynamics_range must be a number, zero or more, got {dynamics_range!r}")
    rng = np.random.default_rng([seed, 1])  # apart from the stream that draws goals
    shapes = {name: getattr(model, name).shape for name in _FIELDS}
    return {
        name: base ** rng.uniform(-dynamics_range, dynamics_range, (n_tasks, *shapes[name]))
        for name, base in _FIELDS.items()
    }


class AntGoalRandParams(RandomDynamics, AntGoal):
    """ant-goal with random dynamics. The task vector is the goal, so that relabeling
    changes the reward alone.
    """

    def __init__(
        self, n_tasks: int = 130, task_seed: int = 1, seed: int | None = None, dynamics_range: float = 3.0
    ) -> None:
        self.dynamics_seed = task_seed
        self.dynamics_range = dynamics_range
        super().__init__(n_tasks, task_seed, seed)


class CheetahVelSparseRandParams(RandomDynamics, CheetahVelSparse):
    """cheetah-vel-sparse with random dynamics. The task vector is the speed."""

    def __init__(
        self, n_tasks: int = 130, task_seed: int = 1, seed: int | None = None, dynamics_range: float = 3.0
    ) -> None:
        self.dynamics_seed = task_seed
        self.dynamics_range = dynamics_range
        super().__init__(n_tasks, task_seed, seed)


@cache
def _planar_model(asset: str) -> mujoco.MjModel:
    model = mujoco.MjModel.from_xml_path(asset_path("gymnasium", asset))
    model.opt.timestep = 0.004
    return model


class SameReward(HindsightEnv):
    """A family whose tasks differ in their dynamics alone. Features: reward, done."""

    _warned = False

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        shape = np.broadcast_shapes(achieved.shape[:-1], task.shape[:-1])
        return rewards_like(
            np.broadcast_to(achieved[..., 0], shape), np.broadcast_to(achieved[..., 1] > 0.5, shape)
        )

    def compute_rewards(self, path: PathDict, tasks: Sequence[int] | np.ndarray) -> HindsightRewards:
        """The recorded rewards, under every task: dynamics can't be changed in hindsight. Says so once."""
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"the tasks of {type(self).__name__} differ in their dynamics alone: every task gets the"
                " recorded rewards, there is nothing to relabel by reward",
                stacklevel=2,
            )
        return super().compute_rewards(path, tasks)


class PlanarRandParams(SameReward, RandomDynamics):
    """Run forward under dynamics that differ from task to task; the reward, speed + 1 -
    0.001 |a|^2, is the same for all.

    Task vector: the multipliers of the dynamics. Features: reward, done.
    """

    package = "gymnasium"
    frame_skip = 4

    def __init__(
        self, n_tasks: int = 50, task_seed: int = 1337, seed: int | None = None, dynamics_range: float = 3.0
    ) -> None:
        self.dynamics_seed = task_seed
        self.dynamics_range = dynamics_range
        model = self._model()
        parts = dynamics_multipliers(model, n_tasks, task_seed, dynamics_range).values()
        super().__init__(
            np.concatenate([part.reshape(n_tasks, -1) for part in parts], axis=1),
            model.nq - 1 + model.nv,
            model.nu,
            seed=seed,
        )

    @classmethod
    def _model(cls) -> mujoco.MjModel:
        return _planar_model(cls.asset)

    def _healthy(self, height: float, angle: float, rest: np.ndarray) -> bool:
        raise NotImplementedError

    def _observe(self) -> np.ndarray:
        return np.concatenate([self.data.qpos[1:], np.clip(self.data.qvel, -10.0, 10.0)])

    def _reset(self) -> np.ndarray:
        self.reset_with_uniform_noise(0.005)
        return self._observe()

    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        before = self.data.qpos[0]
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, self.frame_skip)
        after, height, angle = self.data.qpos[:3]
        reward = (after - before) / self.dt + 1.0 - 1e-3 * np.square(action).sum()
        healthy = self._healthy(height, angle, np.concatenate([self.data.qpos[2:], self.data.qvel]))
        return self._observe(), np.array([reward, float(not healthy)])


class HopperRandParams(PlanarRandParams):
    """PEARL's hopper-rand-params; an episode ends below 0.7 m, beyond 0.2 rad or where the
    simulation breaks down.
    """

    asset = "envs/mujoco/assets/hopper.xml"

    def _healthy(self, height: float, angle: float, rest: np.ndarray) -> bool:
        return bool(
            height > 0.7 and abs(angle) < 0.2 and np.isfinite(rest).all() and (np.abs(rest) < 100.0).all()
        )

    def ends_at(self, next_obs: np.ndarray) -> np.ndarray | None:
        sound = np.isfinite(next_obs).all(axis=1) & (np.abs(next_obs[:, 1:]) < 100.0).all(axis=1)
        return ~((next_obs[:, 0] > 0.7) & (np.abs(next_obs[:, 1]) < 0.2) & sound)


class WalkerRandParams(PlanarRandParams):
    """PEARL's walker-rand-params; an episode ends outside the heights 0.8 to 2 m or beyond 1 rad."""

    asset = "envs/mujoco/assets/walker2d.xml"

    def _healthy(self, height: float, angle: float, rest: np.ndarray) -> bool:
        return bool(0.8 < height < 2.0 and abs(angle) < 1.0)

    def ends_at(self, next_obs: np.ndarray) -> np.ndarray | None:
        height, angle = next_obs[:, 0], next_obs[:, 1]
        return ~((height > 0.8) & (height < 2.0) & (np.abs(angle) < 1.0))
