"""Hindsight rewards of the environments that come with oyster and rlkit, where their paths record enough.

Environments are recognised by class name and by what they carry, without importing the host.
"""

from __future__ import annotations

import types
from typing import Callable, Mapping, Protocol, Sequence, cast

import numpy as np

from rlkit_hfr.paths import PathDict, info_column, info_rows

Rewards = Callable[[PathDict, Sequence[int]], object]


class StockEnv(Protocol):
    """What the environments of oyster and rlkit carry; each has some of it."""

    @property
    def goals(self) -> np.ndarray | Sequence[Sequence[float]]: ...
    @property
    def tasks(self) -> Sequence[Mapping[str, float]]: ...
    @property
    def dt(self) -> float: ...


def stock_rewards(env: object) -> Rewards | None:
    """The reward function of a stock environment, or None if it is none or its paths do not record enough."""
    stock = next((cls for cls in type(env).__mro__ if cls.__name__ in _STOCK), None)
    # a descendant with a step of its own may pay otherwise
    if stock is None or _step(type(env)) is not _step(stock):
        return None
    return _STOCK[stock.__name__](cast(StockEnv, env))


def _step(cls: type) -> object:
    return getattr(cls, "step", None)


def _point(env: StockEnv) -> Rewards | None:
    """PointEnv, SparsePointEnv (oyster: rlkit/envs/point_robot.py; rlkit:
    envs/pearl_envs/point_robot.py): minus the distance of the next position to the
    goal; sparse: that plus 1 within `goal_radius`, else 0.
    """
    goals = getattr(env, "goals", None)
    if goals is None:
        return None
    radius = getattr(env, "goal_radius", None)

    def rewards(path: PathDict, tasks: Sequence[int]) -> object:
        targets = np.asarray(env.goals, np.float64)[np.asarray(tasks)]
        delta = np.asarray(path["next_observations"], np.float64)[None, :, :2] - targets[:, None]
        dense = -np.sqrt(delta[..., 0] ** 2 + delta[..., 1] ** 2)
        never = np.zeros(dense.shape, bool)
        return (
            (dense, never) if radius is None else (dense, never, np.where(dense >= -radius, dense + 1.0, 0.0))
        )

    return rewards


def _cheetah_velocity(env: StockEnv) -> Rewards | None:
    """HalfCheetahVelEnv, where step records ``forward_vel`` (rlkit does, oyster keeps only
    minus its distance to the goal):
    -|v - goal| plus ``reward_ctrl``.
    """
    if not _records(env, "forward_vel"):
        return None

    def rewards(path: PathDict, tasks: Sequence[int]) -> object:
        speed, control = (_required(path, key, "HalfCheetahVelEnv") for key in ("forward_vel", "reward_ctrl"))
        goals = np.array([env.tasks[task]["velocity"] for task in tasks], np.float64)
        values = -np.abs(speed - goals[:, None]) + control
        return values, np.zeros(values.shape, bool)

    return rewards


def _cheetah_direction(env: StockEnv) -> Rewards | None:
    """HalfCheetahDirEnv (oyster: rlkit/envs/half_cheetah_dir.py): direction * speed plus
    ``reward_ctrl``. Paths record the reward for speed under their own direction and, in
    oyster, that direction, which is +-1.
    """
    if not (_records(env, "reward_forward") and _records(env, "task")):
        return None

    def rewards(path: PathDict, tasks: Sequence[int]) -> object:
        forward, control = (
            _required(path, key, "HalfCheetahDirEnv") for key in ("reward_forward", "reward_ctrl")
        )
        own = np.array([info["task"]["direction"] for info in info_rows(path)], np.float64)
        directions = np.array([env.tasks[task]["direction"] for task in tasks], np.float64)
        values = directions[:, None] * (own * forward) + control
        return values, np.zeros(values.shape, bool)

    return rewards


def _ant_direction(env: StockEnv) -> Rewards | None:
    """AntDirEnv (oyster: rlkit/envs/ant_dir.py; rlkit: envs/pearl_envs/ant_dir.py): the
    torso's speed along the goal's angle plus control, contact and survival;
    ``torso_velocity`` is what the torso moved in one step. Terminals do not depend on
    the task.
    """
    if not _records(env, "torso_velocity"):
        return None

    def rewards(path: PathDict, tasks: Sequence[int]) -> object:
        moved = (
            np.stack([np.asarray(info["torso_velocity"], np.float64)[:2] for info in info_rows(path)])
            / env.dt
        )
        extra = sum(
            _required(path, key, "AntDirEnv") for key in ("reward_ctrl", "reward_contact", "reward_survive")
        )
        angles = np.array([env.tasks[task]["goal"] for task in tasks], np.float64)
        if getattr(env, "direction_in_degrees", False):
            angles = angles / 180.0 * np.pi
        return np.stack([np.cos(angles), np.sin(angles)], axis=1) @ moved.T + extra

    return rewards


def _required(path: PathDict, key: str, env_name: str) -> np.ndarray:
    """One info of every step, (T,)."""
    column = info_column(path, key)
    if column is None:
        raise ValueError(f'the paths of {env_name} lack info["{key}"]; pass rewards= to attach')
    return column[:, 0].astype(np.float64)


def _records(env: object, info: str) -> bool:
    """Whether the code of ``step`` names this info."""
    code = getattr(_step(type(env)), "__code__", None)
    return isinstance(code, types.CodeType) and info in _constants(code)


def _constants(code: types.CodeType) -> set[object]:
    found: set[object] = set()
    for constant in code.co_consts:
        found |= set(constant) if isinstance(constant, tuple) else {constant}
    return found


_STOCK: dict[str, Callable[[StockEnv], Rewards | None]] = {
    "PointEnv": _point,
    "SparsePointEnv": _point,
    "HalfCheetahVelEnv": _cheetah_velocity,
    "HalfCheetahDirEnv": _cheetah_direction,
    "AntDirEnv": _ant_direction,
}
