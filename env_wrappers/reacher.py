"""Visual-Reacher: bring the tip of MuJoCo's Reacher to a place that the image does not show."""

from __future__ import annotations

from functools import cache
from typing import Any

import mujoco
import numpy as np

from env_wrappers.base import HindsightRewards, distance, rewards_like
from env_wrappers.mujoco_env import MujocoHindsightEnv, asset_path
from env_wrappers.opengl import make_renderer
from env_wrappers.rasteriser import ArmRasteriser
from env_wrappers.silent_gym import Box

_ASSET = "envs/mujoco/assets/reacher.xml"
_HALF_WIDTH = 0.24  # metres; the stretched arm with its tip reaches 0.22
_RENDERED = 64  # pixels of MuJoCo's image, which is averaged down


@cache
def _reacher_model() -> mujoco.MjModel:
    model = mujoco.MjModel.from_xml_path(asset_path("gymnasium", _ASSET))
    model.actuator_gear[:, 0] = 30.0  # the stock 200 throws the tip across the table in a step
    for name in ("target", "sideS", "sideE", "sideN", "sideW"):
        model.geom(name).rgba[3] = 0.0
    model.vis.quality.offsamples = 0  # multisampling is what makes rendering slow
    return model


class VisualReacher(MujocoHindsightEnv):
    """0 with the tip within 3 cm of the goal, else -1; an episode does not end there,
    because holding on counts.

    Goals are uniform on a ring of 8 to 20 cm. Observation: the gray images before and
    after the step, 2 x 16 x 16 uint8, flattened.
    """

    package, asset = "gymnasium", _ASSET
    frame_skip = 2
    tolerance = 0.03
    task_labels, paths_in_task_space = ("x (m)", "y (m)"), True
    image_shape = (2, 16, 16)
    renderers = ("raster", "mujoco")
    view = ((0.0, 0.0, 0.0), 0.7, -90.0, 90.0)
    unpickled = (*MujocoHindsightEnv.unpickled, "_draw")

    def __init__(
        self, n_tasks: int = 60, task_seed: int = 1, seed: int | None = None, renderer: str = "raster"
    ) -> None:
        """renderer: "raster" draws with numpy; "mujoco" renders with OpenGL (set
        MUJOCO_GL=egl before Python starts).
        """
        if renderer not in self.renderers:
            raise ValueError(f"renderer must be one of {', '.join(self.renderers)}, got {renderer!r}")
        self.renderer = renderer
        rng = np.random.default_rng(task_seed)
        radius, angle = (
            np.sqrt(rng.uniform(0.08**2, 0.20**2, n_tasks)),
            rng.uniform(0.0, 2.0 * np.pi, n_tasks),
        )
        super().__init__(
            np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1),
            int(np.prod(self.image_shape)),
            2,
            seed=seed,
        )
        self.observation_space = Box(0, 255, (int(np.prod(self.image_shape)),), np.uint8)
        self._image = np.zeros(self.image_shape[1:], np.uint8)

    @classmethod
    def _model(cls) -> mujoco.MjModel:
        return _reacher_model()

    def _build(self) -> None:
        super()._build()
        self._tip = self.model.body("fingertip").id
        self._elbow = self.model.body("body1").id
        size = self.image_shape[1]
        self._draw: Any = (
            ArmRasteriser(size, _HALF_WIDTH)
            if self.renderer == "raster"
            else MujocoCamera(self.model, _RENDERED)
        )

    def _look(self) -> np.ndarray:
        """The image of the moment: (16, 16) uint8."""
        if self.renderer == "mujoco":
            n = _RENDERED // self.image_shape[1]
            fine = self._draw.image(self.data).mean(axis=2)
            return np.round(fine.reshape(self.image_shape[1], n, -1, n).mean(axis=(1, 3))).astype(np.uint8)
        elbow, tip = self.data.xpos[self._elbow, :2], self.data.xpos[self._tip, :2]
        return self._draw.draw(
            [(np.zeros(2), elbow, 0.01, 0.4), (elbow, tip, 0.01, 0.7), (tip, tip, 0.014, 1.0)]
        )

    def _observe(self) -> np.ndarray:
        before, self._image = self._image, self._look()
        return np.stack([before, self._image]).ravel()

    def _reset(self) -> np.ndarray:
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:2] = self._rng.uniform(-0.1, 0.1, 2)
        self.data.qvel[:2] = self._rng.uniform(-0.005, 0.005, 2)
        mujoco.mj_forward(self.model, self.data)
        self._image = self._look()
        return self._observe()

    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, self.frame_skip)
        mujoco.mj_kinematics(self.model, self.data)  # the tip and the image are of the state after the step
        return self._observe(), self.data.xpos[self._tip, :2]

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        return rewards_like((distance(achieved, task) <= self.tolerance).astype(np.float32) - 1.0)


class MujocoCamera:
    """MuJoCo's renderer, looking straight down on the arm."""

    def __init__(self, model: mujoco.MjModel, pixels: int) -> None:
        """Raises ValueError where no OpenGL is to be had."""
        try:
            self._renderer = make_renderer(model, pixels, pixels)
        except ValueError as error:
            raise ValueError(f'renderer="mujoco": {error}, or take renderer="raster"') from None
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        self._camera.lookat[:] = 0.0, 0.0, 0.0
        fovy = np.radians(model.vis.global_.fovy)
        self._camera.distance = _HALF_WIDTH / np.tan(fovy / 2.0)
        self._camera.elevation = -90.0
        self._camera.azimuth = 90.0

    def image(self, data: mujoco.MjData) -> np.ndarray:
        """(pixels, pixels, 3) uint8."""
        self._renderer.update_scene(data, self._camera)
        return self._renderer.render()
