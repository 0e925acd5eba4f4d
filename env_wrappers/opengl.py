"""MuJoCo's renderer, or one line that says that there is no OpenGL."""

from __future__ import annotations

import warnings

import mujoco


def make_renderer(model: mujoco.MjModel, height: int, width: int) -> mujoco.Renderer:
    """A renderer of images (height, width, 3) uint8. Raises ValueError where no OpenGL is to be had."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GLFW's, of the missing display, which the error says
        try:
            context = mujoco.GLContext(8, 8)
            context.make_current()
            mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        # each GL library fails in its own way; a half-made Renderer would complain when
        # it is collected
        except Exception as error:
            reason = str(error).splitlines()[0][:60] if str(error) else type(error).__name__
            raise ValueError(
                f"MuJoCo found no OpenGL ({reason}...); install libegl1 and set MUJOCO_GL=egl before Python"
                " starts"
            ) from None
        return mujoco.Renderer(model, height, width)
