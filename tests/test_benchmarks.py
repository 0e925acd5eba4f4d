"""The bench of relabeling quality gives known answers, and the table of what a GPU brings is made."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
TINY = [
    "num_iterations=2",
    "num_train_steps_per_itr=3",
    "num_initial_steps=200",
    "n_train_tasks=4",
    "n_eval_tasks=2",
    "num_tasks_sample=3",
    "meta_batch=3",
    "num_initial_states=4",
]


def test_quality_of_methods_whose_answer_is_known(tmp_path):
    out = tmp_path / "rows.json"
    settings = [part for item in TINY for part in ("--set", item)]
    arguments = [
        "--env",
        "sparse-point-robot",
        "--seeds",
        "1",
        "--draws",
        "2",
        "--paths",
        "24",
        "--stages",
        "1",
        "--temperature",
        "1e9",
    ]
    command = [sys.executable, "benchmarks/quality.py", *arguments, *settings, "--out", str(out)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    rows = {row["method"]: row for row in json.loads(out.read_text())}
    assert rows["none"]["TV"] == 0.0  # it draws nothing
    assert rows["none"]["starved"] == 0.0  # every task keeps its own
    assert math.isnan(rows["none"]["signal"])  # it has no utilities
    assert rows["hfr"]["signal"] >= 0.0
    assert math.isnan(rows["none"]["kept"]) or rows["none"]["kept"] == 1.0
    assert (
        rows["hfr, off"]["noise"] < rows["hfr, a sample of z"]["noise"]
    )  # the posterior's mean is no sample
    assert rows["hfr"]["TV"] > 1e-4
    assert rows["hfr, temperature 1e+09"]["TV"] < 1e-4  # so hot that every task is as likely
    assert all(0.0 <= row["starved"] <= 1.0 and 0.0 <= row["TV"] <= 1.0 for row in rows.values())


def test_an_interval_is_one_over_agents_and_not_over_their_stages(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import quality

    hits = {(0, 0.5): 0.2, (0, 1.0): 0.6, (1, 0.5): 0.4, (1, 1.0): 1.0, (2, 0.5): math.nan, (2, 1.0): 1.0}
    rows = [
        {"method": "hfr", "seed": seed, "stage": stage, **dict.fromkeys(quality.FIGURES, hit)}
        for (seed, stage), hit in hits.items()
    ]
    # means of the agents .4, .7 and 1, whose deviation is .3: t = 4.303 for two degrees of freedom
    assert quality.over_agents(rows, "hit") == f"0.7 ± {4.3027 * 0.3 / 3**0.5:.2g}"
    assert quality.hits_by_stage(rows).splitlines()[0] == "| method | 50% | 100% |"
    assert quality.hits_by_stage(rows).splitlines()[2].startswith("| hfr | 0.3 ± 1.3 | 0.867 ± ")
    assert quality.over_agents(rows[:1], "hit") == "0.2"
    assert quality.over_agents(rows[4:5], "hit") == "–"


def _benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("OYSTER_PATH", None)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the test wants it missing")
def test_the_table_is_refused_without_a_gpu():
    result = _benchmark()
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "no CUDA device" in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_table_can_be_tried_on_a_cpu():
    small = ["--preset", "quick", "--env", "point-robot", "--updates", "2", "--repeats", "1", "--runs", "1"]
    small += ["--tasks", "3", "--horizon", "20", "--num-initial-states", "4"]
    result = _benchmark("--device", "cpu", *small)
    assert result.returncode == 0, result.stderr
    for title, columns, rows in (
        ("An update", 8, 2), ("Scoring by hfr", 5, 4), ("A whole iteration", 8, 2), ("Runs at once", 3, 1),
    ):  # fmt: skip
        lines = result.stdout.split(f"## {title}\n\n")[1].split("\n\n")[0].strip().splitlines()
        assert len(lines) == rows + 2
        assert all(line.count("|") == columns + 1 for line in lines)


def _told(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "told.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _rows(result: subprocess.CompletedProcess[str]) -> list[list[float]]:
    """Exploring trajectories, first, last and told of each row."""
    assert result.returncode == 0, result.stderr[-2000:]
    return [[float(cell) for cell in line.split("|")[2:6]] for line in result.stdout.splitlines()[2:]]


def test_an_agent_that_solves_its_tasks_does_so_told_and_by_itself():
    [[_, first, last, told]] = _rows(_told("results/sawyer-reach-500/hfr/s-3", "--repetitions", "1"))
    assert 0.5 < first <= last  # adapting helps
    assert last >= 0.8
    assert told >= 0.9


def test_an_agent_that_can_do_its_tasks_finds_them_by_exploring():
    """Four-Corners: told, it solves every task; by itself the more, the more trajectories explored."""
    how = ["--repetitions", "10", "--trajectories", "20", "--exploring", "1", "15"]
    few, many = _rows(_told("results/four-corners/agent", *how))
    assert (few[0], many[0]) == (1, 15)
    assert few[3] == many[3] == 1.0
    assert few[2] + 0.3 < many[2]


def test_an_adaptation_that_can_not_be_is_refused_in_a_line():
    result = _told("results/four-corners/agent", "--exploring", "0")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].endswith("num_exp_traj_eval must be positive, got 0")


@pytest.mark.parametrize("draws", [2, 8])
def test_signal_and_noise_are_those_of_the_scores_however_many_draws(monkeypatch, draws):
    """Scores of a fixed table of deviation 0.5 and of none, each with noise of deviation 1."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import quality

    rng = np.random.default_rng(0)
    table = rng.normal(size=(400, 40))
    for deviation in (0.5, 0.0):
        noisy = [deviation * table + rng.normal(size=table.shape) for _ in range(draws)]
        decisions = [
            [SimpleNamespace(probs=np.full(40, 1 / 40), utilities=row) for row in draw] for draw in noisy
        ]
        figures = quality.figures_of(decisions, np.ones((400, 40), bool), np.zeros(400, int))
        assert figures["noise"] == pytest.approx(1.0, abs=0.03)
        assert figures["signal"] == pytest.approx(deviation, abs=0.1)


def test_one_draw_tells_no_noise_and_is_refused_at_once():
    command = [sys.executable, "benchmarks/quality.py", "--draws", "1"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "--draws must be at least 2" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "sawyer-reac"], "did you mean 'sawyer-reach'"),
        (["--trained-with", "hrf"], "hrf"),
        (["--set", "num_iteration=3"], "num_iteration"),
        (["--stages", "0", "1"], "--stages must be shares"),
        (["--temperature", "0.3", "-1"], "must be zero (hard-max) or more, got [0.3, -1.0]"),
        (["--seeds", "0"], "--seeds must be at least 1, got 0"),
        (["--draws", "1"], "--draws must be at least 2"),
        (["--out", "nowhere/rows.json"], "there is no folder nowhere"),
    ],
)
def test_quality_refuses_wrong_words_before_it_trains(arguments, message, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import quality

    monkeypatch.setattr(quality, "measured_run", lambda *_: pytest.fail("it trained"))
    monkeypatch.setattr(sys, "argv", ["quality.py", *arguments])
    with pytest.raises(SystemExit, match="2"):
        quality.main()
    assert message in capsys.readouterr().err
