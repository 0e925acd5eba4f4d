"""show-env: the files it leaves, and what it says where something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from env_wrappers import make_env
from rlkit_hfr.experiments.commands import show_env
from rlkit_hfr.experiments.pictures.families import random_path

ROOT = Path(__file__).parents[3]
_SHOW = (
    "from rlkit_hfr.experiments.commands.show_env import main; raise SystemExit(main(['--env', {!r}, '--out',"
    " {!r}]))"
)


def _run(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


@pytest.mark.parametrize("name", ["four-corners", "sparse-point-robot", "point-robot"])
def test_a_picture_without_any_graphics_library(tmp_path, capsys, name):
    assert show_env.main(["--env", name, "--out", str(tmp_path)]) == 0
    assert (tmp_path / f"{name}.png").read_bytes()[1:4] == b"PNG"
    assert capsys.readouterr().out.strip() == str(tmp_path / f"{name}.png")


def test_without_opengl_the_picture_is_written_and_the_film_is_not(tmp_path):
    code = _SHOW.format("cheetah-vel", str(tmp_path))
    run = _run(code, MUJOCO_GL="glfw", DISPLAY="")
    assert run.returncode == 0
    assert run.stderr.startswith("no film: MuJoCo found no OpenGL")
    assert run.stderr.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["cheetah-vel.png"]


def test_with_egl_there_is_a_film(tmp_path):
    code = _SHOW.format("visual-reacher", str(tmp_path))
    run = _run(code, MUJOCO_GL="egl")
    if run.returncode or "no film" in run.stderr:
        pytest.skip(f"no EGL here: {run.stderr.strip().splitlines()[-1][:80]}")
    assert (tmp_path / "visual-reacher.gif").read_bytes()[:4] == b"GIF8"


@pytest.mark.parametrize(
    ("option", "number", "message"),
    [
        ("--paths", 0, "--paths must be from 1 to 1,000, got 0"),
        ("--paths", 10**9, "--paths must be from 1 to 1,000, got 1000000000"),
        ("--seed", 2**64, "--seed must be at most"),
        ("--seed", -1, "--seed must be a whole number"),
    ],
)
def test_numbers_without_a_picture_are_refused(capsys, tmp_path, option, number, message):
    assert show_env.main(["--env", "point-robot", f"{option}={number}", "--out", str(tmp_path / "a")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_unknown_environments_are_named(capsys, tmp_path):
    assert show_env.main(["--env", "sawyer-psh", "--out", str(tmp_path)]) == 2
    assert "did you mean 'sawyer-push'" in capsys.readouterr().err


@pytest.mark.parametrize(("stickiness", "share"), [(0.0, 0.0), (0.8, 0.8)])
def test_random_actions_stick_as_often_as_is_said(stickiness, share):
    """A point robot moves by its action: a step like the one before is a repeated action."""
    env = make_env("point-robot", seed=0)
    path = random_path(env, 0, 2000, np.random.default_rng(0), uniform=True, stickiness=stickiness)
    steps = np.diff(path["achieved"].astype(np.float64), axis=0)
    again = (np.abs(np.diff(steps, axis=0)) < 1e-4).all(axis=1)
    assert again.mean() == pytest.approx(share, abs=0.05)
