"""Watching a trained agent adapt: what is shown, and what is said where something is
missing.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from env_wrappers.point import SparsePointRobot
from rlkit_hfr.experiments.commands import watch
from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.pictures import adaptation

ROOT = Path(__file__).parents[3]
AGENTS = sorted((ROOT / "results").rglob("params.pkl"))
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^python launchers/watch.py (--run results.*)$", README, re.M)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    tiny = [
        "num_iterations=1",
        "n_train_tasks=3",
        "n_eval_tasks=2",
        "num_train_steps_per_itr=2",
        "num_steps_per_eval=60",
        "net_size=8",
    ]
    pairs = [part for item in tiny for part in ("--set", item)]
    assert main(["--env", "sparse-point-robot", "--preset", "quick", "--run-dir", str(folder), *pairs]) == 0
    return folder


def test_watching_a_run_shows_every_trajectory(trained, capsys):
    assert watch.main(["--run", str(trained), "--task", "1"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "sparse-point-robot, hfr, seed 0: test task 1"
    assert out.count("exploring") == 3 or "adapted" in out
    assert "trajectory 3" in out
    assert (trained / "adaptation.png").exists()


def test_the_pictures_can_go_elsewhere(trained, tmp_path):
    assert watch.main(["--run", str(trained), "--out", str(tmp_path / "pictures")]) == 0
    assert (tmp_path / "pictures" / "adaptation.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "9"], "--task must be in"),
        (["--seed", str(2**64)], "--seed must be at most"),
        (["--seed", "-1"], "--seed must be a whole number, zero or more"),
        (["--snapshot", "itr_7.pkl"], "can't read"),
        (["--snapshot", "progress.csv"], "no snapshot"),
        (["--run", "/nowhere"], "holds no run"),
    ],
)
def test_watch_says_what_is_wrong(trained, capsys, arguments, message):
    assert watch.main(["--run", str(trained), *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_the_recorded_agents_are_small_and_named_in_the_readme():
    assert len(AGENTS) == 3
    assert sum(file.stat().st_size for file in AGENTS) < 750_000
    named = {ROOT / shlex.split(command)[1] / "params.pkl" for command in COMMANDS}
    assert named == set(AGENTS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_recorded_agent_adapts_without_training(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    words = shlex.split(command)
    words[words.index("--out") + 1] = str(tmp_path)
    assert watch.main(words) == 0
    out, err = capsys.readouterr()
    succeeded = re.findall(r"(exploring|adapted): .* success ([01])$", out, re.M)
    assert succeeded[0] == ("exploring", "0")
    assert succeeded[-1] == ("adapted", "1")
    assert (tmp_path / "adaptation.png").stat().st_size > 10_000
    films = "sawyer" in command and "OpenGL" not in err
    assert (tmp_path / "adaptation.gif").exists() == films


class Recorded(SparsePointRobot):
    """Tells of the episode in its last step alone, as Gymnasium's RecordEpisodeStatistics does."""

    def reset(self):
        self.steps = 0
        return super().reset()

    def step(self, action):
        obs, reward, done, info = super().step(action)
        self.steps += 1
        return obs, reward, done, {**info, "episode": {"l": 10}} if self.steps == 10 else info


def test_infos_of_the_last_step_alone_are_no_trouble(make_algorithm, tmp_path, capsys):
    algorithm = make_algorithm(env=Recorded(n_tasks=7), max_path_length=10)
    (picture,) = adaptation.watch(algorithm, 5, tmp_path, 0, "its own infos")
    assert picture.exists()
    assert ", success 0\n" in capsys.readouterr().out
