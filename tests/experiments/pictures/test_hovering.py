"""The didactic example of HFR section 4."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_runs import FOUR_CORNERS, assignments, options

from env_wrappers import make_env
from rlkit_hfr import RELABELERS
from rlkit_hfr.experiments.commands.four_corners import main
from rlkit_hfr.experiments.commands.train import main as train
from rlkit_hfr.experiments.pictures import hovering
from rlkit_hfr.experiments.pictures.hovering import hovering_path


def test_the_hovering_trajectory_has_the_papers_returns():
    rewards = make_env("four-corners").compute_rewards(hovering_path(), range(4)).rewards
    assert rewards.sum(axis=1).tolist() == [-58.0, -20.0, -20.0, -20.0]


def test_the_script_makes_a_picture_and_figures(tmp_path, capsys):
    tiny = options(FOUR_CORNERS)
    assert main(["--train", *tiny, "--output", str(tmp_path), "--samples", "3"]) == 0
    figures = json.loads((tmp_path / "four_corners.json").read_text())
    assert (tmp_path / "four_corners.png").stat().st_size > 10_000
    assert figures["return"] == [-58.0, -20.0, -20.0, -20.0]
    for name in ("q (HFR, utilities)", "q (HIPI, returns)", "q (HIPI, returns, without Z)"):
        assert sum(figures[name]) == pytest.approx(1.0)
    assert (
        figures["q (HIPI, returns, without Z)"][0] < 1e-6
    )  # by return alone nobody takes it for the task that it identifies
    assert (tmp_path / "choices.png").stat().st_size > 10_000
    assert set(figures["choices"]) == set(RELABELERS) - {"none", "hipi-sampling", "htr-sampling"}
    assert all(sum(row) == pytest.approx(1.0) for row in figures["choices"].values())
    assert figures["choices"]["return"][0] == 0.0  # its return is the worst there
    assert figures["choices"]["final-state"] == [1.0, 0.0, 0.0, 0.0]  # it ends at no corner and is left alone
    assert "top right" in capsys.readouterr().out
    # the same agent again: of a given run nothing is trained, and the figures come out again
    again = ["--run", str(tmp_path / "agent"), "--output", str(tmp_path / "again"), "--samples", "3"]
    assert main(again) == 0
    assert json.loads((tmp_path / "again" / "four_corners.json").read_text()) == figures
    assert not (tmp_path / "again" / "agent").exists()


def test_the_recorded_agent_shows_what_section_4_says(tmp_path, monkeypatch):
    """By return the hovering trajectory is for any task but the one that it identifies; by utility for
    that one. The agent solves its tasks."""
    monkeypatch.chdir(Path(__file__).parents[3])
    assert main(["--output", str(tmp_path)]) == 0
    figures = json.loads((tmp_path / "four_corners.json").read_text())
    assert figures["q (HIPI, returns)"][0] < 0.001
    assert figures["q (HFR, utilities)"][0] > 0.8
    assert figures["choices"]["hfr"][0] > 0.8
    assert figures["success"] > 0.75


def test_what_is_asked_for_is_what_is_trained_and_shown(tmp_path, monkeypatch):
    asked, shown = [], []
    monkeypatch.setattr("rlkit_hfr.experiments.commands.train.main", lambda words: asked.append(words) or 0)
    monkeypatch.setattr(hovering, "show_example", lambda *arguments: shown.append(arguments))
    settings = ["--set", "net_size=8", "--set", "discount=0.9"]
    how = ["--preset", "paper", "--seed", "3", *settings]
    assert main(["--train", *how, "--samples", "5", "--output", str(tmp_path)]) == 0
    what = ["--env", "four-corners", "--relabeler", "hfr"]
    assert asked == [[*what, *how[:4], "--run-dir", str(tmp_path / "agent"), *settings]]
    assert shown == [(tmp_path / "agent", tmp_path, 5, 3)]
    assert main(["--train", "--output", str(tmp_path)]) == 0
    assert asked[1][:8] == [*what, "--preset", "quick", "--seed", "0"]


def test_a_training_that_fails_shows_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("rlkit_hfr.experiments.commands.train.main", lambda words: 130)
    monkeypatch.setattr(hovering, "show_example", lambda *arguments: pytest.fail("shown"))
    assert main(["--train", "--output", str(tmp_path)]) == 130


def test_the_seed_is_that_of_the_draws(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    figures = []
    for number, seed in enumerate(("5", "5", "6")):
        out = tmp_path / str(number)
        assert main(["--output", str(out), "--seed", seed, "--samples", "3"]) == 0
        figures.append(json.loads((out / "four_corners.json").read_text()))
    assert figures[0] == figures[1]
    assert figures[0]["utility"] != figures[2]["utility"]
    assert figures[0]["choices"]["random"] != figures[2]["choices"]["random"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--train", "--preset", "fast"], "unknown preset"),
        (["--preset", "paper"], "settings of --train; add it"),
        (["--set", "seed=1"], "settings of --train; add it"),
        (["--train", "--run", "x"], "leave out one of the two"),
        (["--run", "nowhere"], "there is no agent in nowhere; name a run's folder"),
        (["--train", "--set", "relabeler=hipi"], "hipi on 4 tasks of four-corners"),
        (["--seed", "-1"], "--seed must be a whole number, zero or more, got -1"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, arguments, told):
    assert main([*arguments, "--output", str(tmp_path / "a")]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_run_of_another_family_is_refused(tmp_path, capsys):
    tiny = ["--relabeler", "hfr", *options(assignments(num_iterations=1))]
    run = tmp_path / "run"
    assert train(["--env", "point-robot", "--preset", "quick", "--run-dir", str(run), *tiny]) == 0
    assert main(["--run", str(run), "--output", str(tmp_path / "a")]) == 2
    assert "got hfr on 3 tasks of point-robot" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("option", ["--samples=0", f"--samples={10**9}"])
def test_numbers_without_end_are_refused(capsys, tmp_path, option):
    assert main([option, "--output", str(tmp_path / "a")]) == 2
    assert "--samples must be from 1 to 10,000" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
