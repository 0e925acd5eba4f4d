"""Headless pictures of MuJoCo environments, and what people see of paths in task space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from env_wrappers import HindsightEnv
from env_wrappers.mujoco_env import MujocoHindsightEnv
from env_wrappers.opengl import make_renderer
from rlkit_hfr.paths import Info

_SIZE = (240, 320)


class PhysicsRecorder:
    """Hands everything through to a MuJoCo environment and puts the physical state
    after each step into its info.
    """

    def __init__(self, env: MujocoHindsightEnv) -> None:
        self._env = env

    def __getattr__(self, name: str) -> Any:
        if name == "_env":
            raise AttributeError(name)  # not there yet, while being copied
        return getattr(self._env, name)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, Info]:
        obs, reward, done, info = self._env.step(action)
        return obs, reward, done, {**info, "physics": self._env.get_physics()}


class Film:
    """Renders physical states of one environment."""

    def __init__(self, env: MujocoHindsightEnv, goal: np.ndarray | None = None) -> None:
        """goal: (2,) or (3,) metres, marked by a sphere.

        Raises ValueError where no OpenGL is to be had.
        """
        self._env = env
        self._goal = goal
        self._renderer = make_renderer(env.model, *_SIZE)
        self._camera: mujoco.MjvCamera | str = "track" if env.view is None else _camera(*env.view)

    def frames(self, states: Iterable[np.ndarray]) -> list[np.ndarray]:
        """One (height, width, 3) uint8 image per state."""
        images = []
        for state in states:
            self._env.set_physics(state)
            self._renderer.update_scene(self._env.data, self._camera)
            if self._goal is not None:
                self._mark(self._goal)
            images.append(self._renderer.render().copy())
        return images

    def _mark(self, goal: np.ndarray) -> None:
        scene = self._renderer.scene
        if scene.ngeom < scene.maxgeom:
            position, size = (
                np.append(goal, [0.02] * (3 - len(goal))),
                np.full(3, 0.02 if np.abs(goal).max() < 1.0 else 0.15),
            )
            colour = np.array([1.0, 0.2, 0.1, 0.8], np.float32)
            mujoco.mjv_initGeom(
                scene.geoms[scene.ngeom],
                mujoco.mjtGeom.mjGEOM_SPHERE,
                size,
                position,
                np.eye(3).ravel(),
                colour,
            )
            scene.ngeom += 1


def _camera(
    lookat: tuple[float, float, float], distance: float, elevation: float, azimuth: float
) -> mujoco.MjvCamera:
    camera = mujoco.MjvCamera()
    camera.lookat[:] = lookat
    camera.distance = distance
    camera.elevation = elevation
    camera.azimuth = azimuth
    return camera


def save_gif(file: Path, frames: Sequence[np.ndarray], frames_per_second: float = 20.0) -> None:
    import imageio.v3 as imageio

    imageio.imwrite(file, np.stack(frames), duration=1000.0 / frames_per_second, loop=0)


def place_goal(env: HindsightEnv, task: int) -> np.ndarray | None:
    """The goal of a task where it is a place: (2,) or (3,) metres."""
    return env.tasks[task] if env.tolerance is not None and env.tasks.shape[1] in (2, 3) else None


def draw_tasks(axis: Any, env: HindsightEnv, tasks: Sequence[int], **look: Any) -> None:
    """Tasks in task space: places as circles of the tolerance, speeds as lines, angles
    as rays, others by their first two numbers.
    """
    import matplotlib.pyplot as plt

    vectors, labels = env.tasks[list(tasks)], env.task_labels
    look = {"color": "tab:orange", "alpha": 0.7, **look}
    if labels == ("angle",):
        for (angle,) in vectors:
            axis.plot([0.0, np.cos(angle)], [0.0, np.sin(angle)], lw=1, **look)
        axis.set(xlabel="motion along x, tasks as rays", ylabel="motion along y", aspect="equal")
    elif len(labels) == 1:
        for (value,) in vectors:
            axis.axhline(value, lw=0.7, **look)
        axis.set(xlabel="step", ylabel=f"{labels[0]}, tasks as lines")
    elif env.tolerance is not None:
        for vector in vectors:
            axis.add_patch(plt.Circle(vector[:2], env.tolerance, fill=False, **look))
        axis.plot(*vectors[:, :2].T, "x", ms=4, **look)
        axis.set(xlabel=labels[0], ylabel=labels[1], aspect="equal")
    else:
        axis.plot(*vectors[:, :2].T, "x", ms=4, **look)
        axis.set(xlabel=labels[0], ylabel=labels[1])


def draw_path(axis: Any, env: HindsightEnv, achieved: np.ndarray, **look: Any) -> None:
    """A path in task space, where its features live there. achieved: (T, F)."""
    labels = env.task_labels
    if len(labels) == 1 and labels != ("angle",):
        axis.plot(achieved[:, 0], **look)
    elif labels == ("angle",) or env.paths_in_task_space:
        axis.plot(achieved[:, 0], achieved[:, 1], **look)
