"""show_env and watch: the files they leave, and what they say where something is missing."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from env_wrappers import ENVIRONMENTS, make_env
from launchers import show_env, watch
from launchers.pearl_hfr import main
from launchers.render import PhysicsRecorder, draw_path, draw_tasks, place_goal

ROOT = Path(__file__).parent.parent


def _run(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("name", ["four-corners", "sparse-point-robot", "point-robot"])
def test_a_picture_without_any_graphics_library(tmp_path, capsys, name):
    assert show_env.main(["--env", name, "--out", str(tmp_path)]) == 0
    assert (tmp_path / f"{name}.png").read_bytes()[1:4] == b"PNG"
    assert capsys.readouterr().out.strip() == str(tmp_path / f"{name}.png")


def test_without_opengl_the_picture_is_written_and_the_film_is_not(tmp_path):
    code = f"from launchers.show_env import main; raise SystemExit(main(['--env', 'cheetah-vel', '--out', {str(tmp_path)!r}]))"
    run = _run(code, MUJOCO_GL="glfw", DISPLAY="")
    assert run.returncode == 0
    assert run.stderr.startswith("no film: MuJoCo found no OpenGL")
    assert run.stderr.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["cheetah-vel.png"]


def test_with_egl_there_is_a_film(tmp_path):
    code = f"from launchers.show_env import main; raise SystemExit(main(['--env', 'visual-reacher', '--out', {str(tmp_path)!r}]))"
    run = _run(code, MUJOCO_GL="egl")
    if run.returncode or "no film" in run.stderr:
        pytest.skip(f"no EGL here: {run.stderr.strip().splitlines()[-1][:80]}")
    assert (tmp_path / "visual-reacher.gif").read_bytes()[:4] == b"GIF8"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_family_can_be_drawn(name):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    env = make_env(name, seed=0)
    path = show_env.random_path(env, 1, 20, np.random.default_rng(0))
    fig, axis = plt.subplots()
    draw_tasks(axis, env, range(len(env.tasks)))
    drawn = len(axis.lines) + len(axis.patches)
    assert drawn > 0
    draw_path(axis, env, path["achieved"])
    assert axis.get_xlabel()
    plt.close(fig)


def test_the_physics_of_a_path_can_be_gone_back_to():
    env = make_env("sawyer-push", n_tasks=3, seed=0)
    path = show_env.random_path(env, 2, 12, np.random.default_rng(0))
    for state, achieved in zip(path["physics"], path["achieved"], strict=True):
        env.set_physics(state)
        np.testing.assert_array_equal(np.float32(env._features()), achieved)
    np.testing.assert_array_equal(place_goal(env, 2), env.tasks[2])
    assert place_goal(make_env("cheetah-vel-sparse"), 0) is None
    assert PhysicsRecorder(env).tasks is env.tasks


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    tiny = ["num_iterations=1", "n_train_tasks=3", "n_eval_tasks=2", "num_train_steps_per_itr=2", "num_steps_per_eval=60", "net_size=8"]
    pairs = [part for item in tiny for part in ("--set", item)]
    assert main(["--env", "sparse-point-robot", "--preset", "quick", "--run-dir", str(folder), *pairs]) == 0
    return folder


def test_watching_a_run_shows_every_trajectory(trained, capsys):
    assert watch.main(["--run", str(trained), "--task", "1"]) == 0
    out = capsys.readouterr().out
    assert out.count("exploring") == 3 or "adapted" in out
    assert "trajectory 3" in out
    assert (trained / "adaptation.png").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    (["--task", "9"], "--task must be in"), (["--snapshot", "itr_7.pkl"], "can't read"), (["--snapshot", "progress.csv"], "no snapshot"),
    (["--run", "/nowhere"], "holds no run"),
])  # fmt: skip
def test_watch_says_what_is_wrong(trained, capsys, arguments, message):
    assert watch.main(["--run", str(trained), *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_no_trajectories_are_refused(capsys, tmp_path):
    assert show_env.main(["--env", "point-robot", "--paths", "0", "--out", str(tmp_path)]) == 2
    assert "--paths must be positive" in capsys.readouterr().err


def test_unknown_environments_are_named(capsys, tmp_path):
    assert show_env.main(["--env", "sawyer-psh", "--out", str(tmp_path)]) == 2
    assert "did you mean 'sawyer-push'" in capsys.readouterr().err
