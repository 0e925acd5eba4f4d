"""Meta-World's Sawyer arm with HFR's sparse rewards: reach a point, push a puck to a point on the table.

The physics is that of metaworld 3.1.1 (its XML, mocap control and welds), stepped through the raw bindings.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mujoco
import numpy as np

from env_wrappers.base import HindsightRewards, distance, rewards_like
from env_wrappers.mujoco_env import MujocoHindsightEnv, load_model

_HAND_LOW, _HAND_HIGH = np.array([-0.5, 0.40, 0.05]), np.array([0.5, 1.0, 0.5])
_HAND_START = np.array([0.0, 0.6, 0.2])
_PUCK_START = np.array([0.0, 0.6, 0.02])
_STARTS = np.concatenate([_HAND_START, _PUCK_START])
_GRIP_QUAT = np.array([1.0, 0.0, 1.0, 0.0])
_WELD = np.array([0.0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 5])
_METRES_PER_ACTION = 0.01
_FINGERS_FROM_HAND = np.array([0.0, 0.0, -0.045])  # metres, with open fingers


def positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < float("inf"):
        raise ValueError(f"{name} must be a positive number, got {value!r}")
    return float(value)


@cache
def _sawyer_model(asset: str) -> mujoco.MjModel:
    model = load_model("metaworld", asset)
    model.eq_data[model.eq_type == mujoco.mjtEq.mjEQ_WELD] = _WELD
    return model


class SawyerEnv(MujocoHindsightEnv):
    """Shared control of the arm. Action (4): hand displacement in centimetres a step (3), gripper effort (1).

    Observation (6): hand position, object position (metres, or in `obs_unit`). With obs_dim=39 it is
    Meta-World's: hand, gripper opening, object position and orientation, padded to 18,
    of this step and of the one before, and three zeros for the hidden goal. Success
    terminates the episode; the reward is 0 then and -1 before.
    """

    threads_help = True
    obs_dims = (6, 39)
    view = ((0.0, 0.7, 0.1), 1.1, -35.0, 140.0)
    task_labels, paths_in_task_space = ("x (m)", "y (m)"), True

    package = "metaworld"
    goal_low: tuple[float, ...]
    goal_high: tuple[float, ...]
    tolerance: float

    def __init__(
        self,
        n_tasks: int = 60,
        task_seed: int = 3,
        seed: int | None = None,
        obs_dim: int = 6,
        goal_width: float = 1.0,
        tolerance: float | None = None,
        obs_unit: float | None = None,
    ) -> None:
        """goal_width: factor on how far goals spread to the left and right; tolerance: metres to the goal
        that count as success, None for the family's own; obs_unit: metres that one unit of an observation
        stands for, counted from where hand and puck begin, None for Meta-World's coordinates in metres."""
        if obs_dim not in self.obs_dims:
            raise ValueError(f"obs_dim must be one of {', '.join(map(str, self.obs_dims))}, got {obs_dim!r}")
        self.tolerance = positive("tolerance", self.tolerance if tolerance is None else tolerance)
        spread = np.array([positive("goal_width", goal_width), *[1.0] * (len(self.goal_low) - 1)])
        low, high = np.array(self.goal_low) * spread, np.array(self.goal_high) * spread
        self._task_bounds = low, high
        self._before: np.ndarray | None = None
        self.obs_unit = None if obs_unit is None else positive("obs_unit", obs_unit)
        if self.obs_unit is not None and obs_dim != 6:
            raise ValueError(
                f"obs_unit is for observations of 6 numbers, got obs_dim={obs_dim}; leave one out"
            )
        super().__init__(
            np.random.default_rng(task_seed).uniform(low, high, size=(n_tasks, len(low))),
            obs_dim,
            4,
            seed=seed,
        )

    def sample_tasks(self, number: int, rng: np.random.Generator) -> np.ndarray:
        """New tasks of the distribution that `tasks` are of: (number, G)."""
        return rng.uniform(*self._task_bounds, size=(number, self.tasks.shape[1]))

    def _build(self) -> None:
        super()._build()
        self._hand = self.model.body("hand").id
        self._object = self.model.body("obj").id
        self._claws = [self.model.body(name).id for name in ("rightclaw", "leftclaw")]
        self._object_geom = self.model.geom("objGeom").id
        self._fingers = [self.model.site(name).id for name in ("rightEndEffector", "leftEndEffector")]
        self._initial_physics = self._settle()

    @classmethod
    def _model(cls) -> mujoco.MjModel:
        return _sawyer_model(cls.asset)

    def _settle(self) -> np.ndarray:
        """Simulate the start of an episode once; every episode begins from the cached result."""
        mujoco.mj_resetData(self.model, self.data)
        self._pull_hand(_HAND_START, iterations=100)
        self._place_object(_PUCK_START)
        return self.get_physics()

    def _pull_hand(
        self, target: np.ndarray, iterations: int, effort: tuple[float, float] = (-1.0, 1.0)
    ) -> None:
        for _ in range(iterations):
            self.data.mocap_pos[0] = target
            self.data.mocap_quat[0] = _GRIP_QUAT
            self.data.ctrl[:] = effort
            mujoco.mj_step(self.model, self.data, self.frame_skip)

    def _place_object(self, position: np.ndarray) -> None:
        self.data.qpos[9:12] = position
        self.data.qvel[9:15] = 0.0
        mujoco.mj_forward(self.model, self.data)

    def _observe(self) -> np.ndarray:
        hand, puck = self.data.xpos[self._hand], self.data.xpos[self._object]
        if self.observation_space.shape == (6,):
            positions = np.concatenate([hand, puck])
            return positions if self.obs_unit is None else (positions - _STARTS) / self.obs_unit
        right, left = self.data.xpos[self._claws]
        opening = np.clip(np.linalg.norm(right - left) / 0.1, 0.0, 1.0)
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, self.data.geom_xmat[self._object_geom])
        # Meta-World's quaternions end with the real part
        now = np.concatenate([hand, [opening], puck, np.roll(quaternion, -1), np.zeros(7)])
        before, self._before = now if self._before is None else self._before, now
        return np.concatenate([now, before, np.zeros(3)])

    def _features(self) -> np.ndarray:
        raise NotImplementedError

    def _reset(self) -> np.ndarray:
        self.set_physics(self._initial_physics)
        self._before = None
        return self._observe()

    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        data = self.data
        data.mocap_pos[0] = np.minimum(
            np.maximum(data.mocap_pos[0] + _METRES_PER_ACTION * action[:3], _HAND_LOW), _HAND_HIGH
        )
        data.mocap_quat[0] = _GRIP_QUAT
        data.ctrl[:] = action[3], -action[3]
        mujoco.mj_step(self.model, data, self.frame_skip)
        # as metaworld does: positions would lag a substep behind, and the next step
        # start elsewhere
        mujoco.mj_forward(self.model, data)
        return self._observe(), self._features()

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        solved = distance(achieved, task) <= self.tolerance
        return rewards_like(solved.astype(np.float32) - 1.0, solved)


class SawyerReach(SawyerEnv):
    """Bring the point between the fingers within 5 cm of a goal in the air."""

    asset = "assets/sawyer_xyz/sawyer_reach_v3.xml"
    goal_low, goal_high = (-0.1, 0.7, 0.05), (0.1, 0.8, 0.3)
    tolerance = 0.05

    def expert_actions(self, obs: np.ndarray, tasks: np.ndarray) -> np.ndarray:
        """Straight to the goal: observations (N, S), task vectors (N, 3) -> actions (N, 4)."""
        hand = obs[:, :3] if self.obs_unit is None else obs[:, :3] * self.obs_unit + _HAND_START
        fingers = hand + _FINGERS_FROM_HAND
        moves = np.clip((tasks - fingers) / _METRES_PER_ACTION, -1.0, 1.0)
        return np.concatenate([moves, np.zeros((len(obs), 1))], axis=1)

    def _features(self) -> np.ndarray:
        right, left = self._fingers
        return (self.data.site_xpos[right] + self.data.site_xpos[left]) / 2.0


class SawyerPush(SawyerEnv):
    """Push the puck within 7 cm of a goal on the table.

    start: "reference" emulates the release of HFR, where an episode begins with the
    hand still flying towards the puck, so that random actions move it; "caged" begins
    with the puck at rest between the open fingers, which is the harder exploration
    problem.
    """

    asset = "assets/sawyer_xyz/sawyer_push_v3.xml"
    goal_low, goal_high = (-0.1, 0.8), (0.1, 0.9)
    tolerance = 0.07
    starts = ("reference", "caged")

    def __init__(
        self,
        n_tasks: int = 60,
        task_seed: int = 3,
        seed: int | None = None,
        start: str = "reference",
        **options: Any,
    ) -> None:
        """start: as above; options: as `SawyerEnv`."""
        if start not in self.starts:
            raise ValueError(f"start must be one of {', '.join(self.starts)}, got {start!r}")
        self.start = start
        super().__init__(n_tasks, task_seed, seed, **options)

    def _settle(self) -> np.ndarray:
        mujoco.mj_resetData(self.model, self.data)
        if self.start == "reference":
            self._pull_hand(np.array([0.0, 0.65, 0.0]), iterations=10)
            self._place_object(_PUCK_START)
        else:
            self._place_object(np.array([0.0, 0.7, 0.02]))
            self._pull_hand(np.array([0.0, 0.7, 0.07]), iterations=100)
            self._place_object(np.array([0.0, 0.7, 0.02]))
        return self.get_physics()

    def _features(self) -> np.ndarray:
        return self.data.xpos[self._object][:2]
