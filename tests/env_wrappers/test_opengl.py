"""MuJoCo's renderer, with and without OpenGL."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def test_without_opengl_the_renderer_says_so_and_the_rasteriser_works():
    code = """
import sys
from env_wrappers import make_env
make_env("visual-reacher").reset_task(0)
try:
    make_env("visual-reacher", renderer="mujoco")
except ValueError as error:
    assert "no OpenGL" in str(error) and chr(10) not in str(error), error
    sys.exit(5)
"""
    environment = {**os.environ, "MUJOCO_GL": "glfw", "DISPLAY": ""}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.returncode == 5, run.stderr


def test_mujocos_renderer_shows_the_arm_where_the_rasteriser_does():
    code = """
import numpy as np
from env_wrappers import make_env
try:
    real = make_env("visual-reacher", renderer="mujoco", seed=0)
except ValueError as error:
    print("SKIP", error); raise SystemExit
drawn = make_env("visual-reacher", seed=0)
real.reset_task(0), drawn.reset_task(0)
for action in ([1, 0], [1, 0], [0, 1], [-1, 1]) * 5:
    a, b = (env.step(np.array(action))[0].reshape(2, 16, 16)[1].astype(float) for env in (real, drawn))
assert a.shape == (16, 16) and a.std() > 5
background = np.median(a)
print("CORRELATION", np.corrcoef(np.abs(a - background).ravel(), b.ravel())[0, 1])
"""
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "MUJOCO_GL": "egl"}, capture_output=True, text=True
    )
    if "CORRELATION" not in run.stdout:
        pytest.skip(f"no EGL here: {(run.stdout + run.stderr).strip().splitlines()[-1][:100]}")
    assert float(run.stdout.split()[-1]) > 0.6
