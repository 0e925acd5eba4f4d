"""Sweeps: which runs there are, that they end alike wherever they are executed, and
what becomes of those that fail.
"""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from grids import jobs_of
from tiny_runs import assignments, options

from rlkit_hfr.experiments.commands.compare import main
from rlkit_hfr.experiments.runs.folders import alone_in, is_locked
from rlkit_hfr.experiments.sweeps import comparison
from rlkit_hfr.experiments.sweeps.comparison import Comparison
from rlkit_hfr.experiments.sweeps.jobs import grid, last_words, progress_of

ROOT = Path(__file__).parents[3]
TINY_ARGS = ["--preset", "quick", *options(assignments(num_iterations=2))]


def _rows(folder: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of every run below, without times."""
    logs = {}
    for file in sorted(folder.rglob("progress.csv")):
        rows = list(csv.DictReader(file.open()))
        logs[str(file.relative_to(folder))] = [
            {k: v for k, v in row.items() if "(s)" not in k and "share of time" not in k} for row in rows
        ]
    return logs


def test_the_grid_spans_axes_and_leaves_out_what_does_not_concern_a_relabeler(tmp_path):
    jobs = grid(
        ["point-robot", "four-corners"],
        ["none", "hfr"],
        range(2),
        ["num_iterations=3", "temperature=1,10", "discount=0.9,0.95"],
        "quick",
        None,
        tmp_path,
    )
    cells = {(job.env, job.label, job.seed) for job in jobs}
    assert len(jobs) == len(cells) == len({job.folder for job in jobs}) == 2 * 2 * (2 + 4)
    assert ("point-robot", "hfr temperature=10 discount=0.95", 1) in cells
    assert ("point-robot", "none discount=0.9", 0) in cells
    assert jobs[0].seed == jobs[11].seed == 0  # seeds vary slowest
    variant = next(job for job in jobs if job.label == "hfr temperature=10 discount=0.9").variant()
    assert variant["relabel_params"]["temperature"] == 10
    assert variant["algo_params"]["discount"] == 0.9
    assert variant["algo_params"]["num_iterations"] == 3


def test_a_config_of_one_relabeler_serves_the_others_without_its_options(tmp_path):
    config = tmp_path / "hfr.json"
    options = {"num_initial_states": 16, "relabel_fraction": 0.3}
    config.write_text(json.dumps({"env_name": "point-robot", "relabeler": "hfr", "relabel_params": options}))
    jobs = grid(["point-robot"], ["none", "hfr", "air"], [0], [], None, config, tmp_path)
    kept = {job.relabeler: job.variant()["relabel_params"] for job in jobs}
    shared = {"precision": "fp32", "relabel_fraction": 0.3}
    assert kept == {"none": shared, "hfr": {**shared, "num_initial_states": 16}, "air": shared}
    wrong = grid(["point-robot"], ["hfr"], [0], ["num_initial_states=-1"], None, config, tmp_path)
    with pytest.raises(ValueError, match="num_initial_states must be a positive"):
        wrong[0].check()


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A finished sweep of four runs on local processes, its folder and the arguments."""
    folder = tmp_path_factory.mktemp("sweep") / "runs"
    arguments = ["--env", "point-robot", "--relabelers", "none", "hfr", "--seeds", "2", *TINY_ARGS]
    assert main([*arguments, "--log-dir", str(folder)]) == 0
    return folder, arguments


def test_every_run_has_a_folder_with_all_its_rows(sweep):
    folder, _ = sweep
    logs = _rows(folder)
    assert sorted(logs) == [f"point-robot/{r}/s-{s}/progress.csv" for r in ("hfr", "none") for s in (0, 1)]
    assert all(len(rows) == 2 for rows in logs.values())
    assert logs["point-robot/hfr/s-0/progress.csv"] != logs["point-robot/hfr/s-1/progress.csv"]
    assert json.loads((folder / "compare.json").read_text())["commands"][0].startswith(
        "rlkit-hfr compare --env point-robot"
    )


def test_the_same_command_keeps_what_is_finished_and_goes_on_with_the_rest(sweep, capsys):
    folder, arguments = sweep
    before = {file: file.read_bytes() for file in folder.rglob("progress.csv")}
    broken = folder / "point-robot" / "hfr" / "s-1"
    shutil.rmtree(broken)
    assert main([*arguments, "--log-dir", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "4 runs, 3 finished already" in out
    assert out.count("running:") == 1
    after = {file: file.read_bytes() for file in folder.rglob("progress.csv")}
    assert {f: b for f, b in after.items() if broken not in f.parents} == {
        f: b for f, b in before.items() if broken not in f.parents
    }
    assert len(_rows(folder)["point-robot/hfr/s-1/progress.csv"]) == 2


def test_other_settings_in_the_same_folder_are_refused(sweep, capsys):
    folder, arguments = sweep
    assert main([*arguments, "--set", "discount=0.5", "--log-dir", str(folder)]) == 2
    assert "holds a run with another algo_params" in capsys.readouterr().err


def test_a_run_that_fails_is_named_and_the_others_go_on(tmp_path, capsys):
    poison = tmp_path / "point-robot" / "hfr" / "s-0"
    poison.mkdir(parents=True)
    (poison / "progress.csv").write_text("a run without settings\n")
    assert (
        main(
            [
                "--env",
                "point-robot",
                "--relabelers",
                "hfr",
                "none",
                "--seeds",
                "1",
                *TINY_ARGS,
                "--log-dir",
                str(tmp_path),
            ]
        )
        == 1
    )
    out = capsys.readouterr().out
    assert f"failed: {poison}: error:" in out.replace("\n", " ")
    assert "holds a run already" in out.replace("\n", " ")
    assert len(_rows(tmp_path / "point-robot" / "none")["s-0/progress.csv"]) == 2
    assert (poison / "console.log").read_text().splitlines()[1].startswith("error:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "point-robt"], "did you mean 'point-robot'"),
        (["--env", "point-robot", "--relabelers", "hfrr"], "did you mean 'hfr'"),
        (["--env", "point-robot", "--seeds", "0"], "must be positive"),
        (["--env", "point-robot", "point-robot"], "given twice"),
        (["--env", "point-robot", "--set", "discount=1,1"], "must be distinct"),
        (["--env", "point-robot", "--set", "discont=1,2"], "did you mean"),
    ],
)
def test_bad_input_is_one_line_before_anything_runs(tmp_path, capsys, arguments, message):
    assert main([*arguments, "--log-dir", str(tmp_path / "runs")]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_ctrl_c_lets_runs_write_their_checkpoints_and_the_same_command_goes_on(tmp_path):
    long = [
        arg.replace("num_iterations=2", "num_iterations=6").replace("itr=3", "itr=150") for arg in TINY_ARGS
    ]
    arguments = [
        "--env",
        "point-robot",
        "--relabelers",
        "hfr",
        "--seeds",
        "2",
        "--jobs",
        "2",
        *long,
        "--log-dir",
        str(tmp_path),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "rlkit_hfr", "compare", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    jobs = grid(["point-robot"], ["hfr"], range(2), [], None, None, tmp_path)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not all(progress_of(job).rows for job in jobs):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert "the same command goes on" in err
    for job in jobs:
        assert 1 <= progress_of(job).rows < 6
        assert "Stopped after" in last_words(job) or "Go on from" in (job.folder / "console.log").read_text()
    assert main(arguments) == 0
    assert [progress_of(job).rows for job in jobs] == [6, 6]


def test_ray_gives_the_same_logs(sweep, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'rlkit-hfr[ray]'")
    folder, arguments = sweep
    assert main([*arguments, "--ray", "local", "--log-dir", str(tmp_path)]) == 0
    assert _rows(tmp_path) == _rows(folder)


def test_submitit_gives_the_same_logs(sweep, tmp_path):
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'rlkit-hfr[slurm]'")
    folder, arguments = sweep
    assert main([*arguments, "--slurm", "local", "--log-dir", str(tmp_path)]) == 0
    assert _rows(tmp_path) == _rows(folder)


@pytest.mark.parametrize(("option", "package"), [("--ray", "ray"), ("--slurm", "submitit")])
def test_a_missing_package_is_named(tmp_path, capsys, monkeypatch, option, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["--env", "point-robot", *TINY_ARGS, option, "local", "--log-dir", str(tmp_path)]) == 2
    assert f"needs the package {package}" in capsys.readouterr().err


class _Instant:
    """An executor whose runs end at once, finished."""

    slots: int | None = 4

    def __init__(self):
        self.submitted = []

    def submit(self, job):
        self.submitted.append(job)
        return job

    def poll(self, handle):
        return 0

    def stop(self, handle, at_once): ...

    def close(self): ...


@pytest.mark.parametrize("left", ["finished", "unfinished"])
def test_a_run_of_another_comparison_is_waited_for(tmp_path, monkeypatch, capsys, left):
    """It is taken over if the other one lets go of it unfinished."""
    mine, others = jobs_of(tmp_path, 2)
    others.folder.mkdir(parents=True)
    done, turns = set(), []
    lock = ExitStack()
    lock.enter_context(alone_in(others.folder))
    assert is_locked(others.folder)

    def pause(seconds):
        turns.append(seconds)
        done.add(mine)
        if len(turns) == 3:
            done.update({others} if left == "finished" else ())
            lock.close()
        if len(turns) == 4:
            done.add(others)

    monkeypatch.setattr(comparison.time, "sleep", pause)
    monkeypatch.setattr(comparison, "finished", lambda job: job in done)
    executor = _Instant()
    assert Comparison([mine, others], executor).run() == 0
    assert executor.submitted == ([mine] if left == "finished" else [mine, others])
    assert "elsewhere: point-robot hfr seed 1" in capsys.readouterr().out
    assert not is_locked(others.folder)


def test_whoever_is_second_to_start_a_run_waits(tmp_path, monkeypatch):
    """Both saw it free; the second process is refused by the folder's lock."""
    (job,) = jobs_of(tmp_path)
    job.folder.mkdir(parents=True)
    compared = Comparison([job], _Instant())
    with alone_in(job.folder):
        assert compared._outcome(job) == "elsewhere"
    assert compared._outcome(job) == "failed"
    monkeypatch.setattr(comparison, "finished", lambda job: True)  # by the other one, meanwhile
    assert compared._outcome(job) == "finished"
