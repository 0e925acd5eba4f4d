"""Hindsight rewards of the environments that come with oyster and rlkit, where their paths record enough.

Environments are recognised by class name and by what they carry, without importing the host.
"""
from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rlkit_hfr.paths import Path, info_column

Rewards = Callable[[Path, Sequence[int]], Any]


def stock_rewards(env: Any) -> Rewards | None:
    """The reward function of a stock environment, or None if it is none or its paths do not record enough."""
    names = {cls.__name__ for cls in type(env).__mro__}
    for name, build in _STOCK.items():
        if name in names:
            return build(env)
    return None


def _point(env: Any) -> Rewards | None:
    """PointEnv, SparsePointEnv (oyster: rlkit/envs/point_robot.py; rlkit: envs/pearl_envs/point_robot.py): minus the distance of the next
    position to the goal; sparse: that plus 1 within `goal_radius`, else 0."""
    goals = getattr(env, "goals", None)
    if goals is None:
        return None
    radius = getattr(env, "goal_radius", None)

    def rewards(path: Path, tasks: Sequence[int]) -> Any:
        targets = np.asarray(env.goals, np.float64)[np.asarray(tasks)]
        delta = np.asarray(path["next_observations"], np.float64)[None, :, :2] - targets[:, None]
        dense = -np.sqrt(delta[..., 0] ** 2 + delta[..., 1] ** 2)
        never = np.zeros(dense.shape, bool)
        return (dense, never) if radius is None else (dense, never, np.where(dense >= -radius, dense + 1.0, 0.0))

    return rewards


def _cheetah_velocity(env: Any) -> Rewards | None:
    """HalfCheetahVelEnv, where step records ``forward_vel`` (rlkit does, oyster keeps only minus its distance to the goal):
    -|v - goal| plus ``reward_ctrl``."""
    if not _records(env, "forward_vel"):
        return None

    def rewards(path: Path, tasks: Sequence[int]) -> Any:
        speed, control = info_column(path, "forward_vel"), info_column(path, "reward_ctrl")
        if speed is None or control is None:
            raise ValueError('the paths of HalfCheetahVelEnv lack info["forward_vel"] or info["reward_ctrl"]; pass rewards= to attach')
        goals = np.array([env.tasks[task]["velocity"] for task in tasks], np.float64)
        values = -np.abs(speed.T.astype(np.float64) - goals[:, None]) + control.T
        return values, np.zeros(values.shape, bool)

    return rewards


def _records(env: Any, info: str) -> bool:
    """Whether the code of ``step`` names this info."""
    code = getattr(type(env).step, "__code__", None)
    return isinstance(code, types.CodeType) and info in _constants(code)


def _constants(code: types.CodeType) -> set[Any]:
    found: set[Any] = set()
    for constant in code.co_consts:
        found |= set(constant) if isinstance(constant, tuple) else {constant}
    return found


_STOCK: dict[str, Callable[[Any], Rewards | None]] = {"PointEnv": _point, "HalfCheetahVelEnv": _cheetah_velocity}
