"""Wrappers for environments that compute a task's reward but do not record what another task's would need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rlkit_hfr.paths import PathDict, info_rows
from rlkit_hfr.rewards.task_rewards import TaskRewards


class RecordVelocity:
    """oyster's cheetah-vel and its kin: records the forward speed, of which the
    environment itself keeps only -|v - goal|.

    Put it around the environment before anything else:
    ``NormalizedBoxEnv(RecordVelocity(env))``. The environment needs `tasks`, a list of
    dicts with a "velocity", `dt` in seconds, ``sim.data`` (mujoco_py) or ``data``
    (mujoco), and an info "reward_ctrl". Everything else is handed through to it.
    """

    def __init__(self, env: Any) -> None:
        missing = [name for name in ("tasks", "dt", "step") if not hasattr(env, name)]
        if missing or not (hasattr(env, "sim") or hasattr(env, "data")):
            lacks = ", ".join(missing) or "sim or data"
            raise ValueError(
                f"RecordVelocity needs a MuJoCo velocity environment, got {type(env).__name__} without"
                f" {lacks}"
            )
        self._wrapped_env = env

    def __getattr__(self, name: str) -> Any:
        if name == "_wrapped_env":
            raise AttributeError(name)  # not there yet, while being unpickled
        return getattr(self._wrapped_env, name)

    def _position(self) -> float:
        env = self._wrapped_env
        return float((env.sim.data if hasattr(env, "sim") else env.data).qpos[0])

    def step(self, action: np.ndarray) -> tuple[Any, ...]:
        before = self._position()
        obs, reward, done, info = self._wrapped_env.step(action)
        speed = (self._position() - before) / self._wrapped_env.dt
        return obs, reward, done, {**info, "forward_vel": speed}

    def compute_rewards(self, path: PathDict, tasks: Sequence[int] | np.ndarray) -> TaskRewards:
        """-|v - goal| plus the control reward, for K tasks: (K, T)."""
        infos = info_rows(path)
        speed, control = (
            np.reshape([info[key] for info in infos], -1).astype(np.float64)
            for key in ("forward_vel", "reward_ctrl")
        )
        goals = np.array([self._wrapped_env.tasks[task]["velocity"] for task in tasks], np.float64)
        rewards = -1.0 * np.abs(speed - goals[:, None]) + control
        return TaskRewards(rewards.astype(np.float32), np.zeros(rewards.shape, bool))
