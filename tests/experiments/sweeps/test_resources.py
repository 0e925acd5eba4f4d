"""Seeds, devices and what a cluster is asked for; two comparisons in one folder."""

from __future__ import annotations

import json
import sys
import types
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from rlkit_hfr.experiments.commands import compare
from rlkit_hfr.experiments.runs.folders import alone_in, is_locked
from rlkit_hfr.experiments.sweeps import comparison, executors, jobs
from rlkit_hfr.experiments.sweeps.comparison import Comparison
from rlkit_hfr.experiments.sweeps.executors import LocalProcesses, RayTasks, SlurmJobs
from rlkit_hfr.experiments.sweeps.jobs import Launch, grid
from rlkit_hfr.experiments.sweeps.resources import (
    Resources,
    chosen_seeds,
    resources_of,
    visible_gpus,
)
from rlkit_hfr.pearl.writers import ROW_WRITERS


def _args(*words):
    return compare.parser().parse_args(["--env", "point-robot", *words])


def test_the_names_of_writers_are_those_that_there_are():
    assert tuple(ROW_WRITERS) == compare._LOGS


@pytest.mark.parametrize(
    ("words", "seeds"),
    [([], [0, 1, 2, 3, 4]), (["--seeds", "2"], [0, 1]), (["--seed-list", "3", "0", "7"], [3, 0, 7])],
)
def test_seeds_are_a_number_or_a_list(words, seeds):
    assert chosen_seeds(_args(*words)) == seeds


@pytest.mark.parametrize(
    ("words", "resources"),
    [
        ([], Resources(device="cpu")),
        (["--slurm", "p"], Resources(device="cpu")),
        (["--slurm", "p", "--gpus", "1"], Resources(device="cuda", gpus=1)),
        (["--ray", "auto", "--device", "cuda"], Resources(device="cuda", gpus=1)),
        (
            ["--slurm", "p", "--memory", "4.5", "--account", "lab"],
            Resources(device="cpu", memory=4.5, account="lab"),
        ),
    ],
)
def test_what_a_run_gets(words, resources, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resources_of(_args(*words)) == resources


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seed-list", "3", "3"], "--seed-list takes distinct numbers, zero or more, got 3 3"),
        (["--seed-list", "-1"], "--seed-list takes distinct numbers"),
        (["--gpus", "1"], "--gpus is for --ray or --slurm"),
        (["--memory", "4"], "--memory is for --ray or --slurm"),
        (["--account", "x", "--ray", "local"], "--account is for --slurm"),
        (["--device", "cuda"], "no CUDA device"),
        (["--slurm", "p", "--device", "cpu", "--gpus", "1"], "--device cpu with --gpus 1"),
        (["--slurm", "p", "--device", "cuda", "--gpus", "0"], "--device cuda with --gpus 0"),
        (["--slurm", "p", "--gpus", "-1"], "--gpus must be between 0 and"),
        (["--ray", "local", "--memory", "0"], "--memory is in GB, positive"),
    ],
)
def test_what_does_not_fit_is_one_line(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert compare.main(["--env", "point-robot", *words, "--log-dir", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def _jobs(folder: Path, number: int = 1, **launch):
    return grid(
        ["point-robot"],
        ["hfr"],
        range(number),
        [],
        "quick",
        None,
        folder,
        Launch(**launch) if launch else None,
    )


def test_a_run_is_told_its_device_host_and_writers(tmp_path):
    launch = dict(device="cuda", host="oyster", host_path=Path("/o"), log=("csv", "jsonl"))
    (job,) = _jobs(tmp_path, **launch)
    text = " ".join(job.command())
    assert "--host oyster --host-path /o --log csv jsonl --device cuda --run-dir" in text
    job.folder.mkdir(parents=True)
    (job.folder / "variant.json").write_text("{}")
    assert job.command()[-3:] == [str(job.folder), "--device", "cuda"]  # and goes on there


def test_each_process_sees_the_gpu_that_fewest_share(tmp_path, monkeypatch):
    started = []

    class Process:
        code = None

        def poll(self):
            return self.code

    def start(command, folder, where, environment=None):
        started.append(environment)
        return Process()

    monkeypatch.setattr(executors, "_start", start)
    here = LocalProcesses(3, ["4", "7"])
    handles = [here.submit(job) for job in _jobs(tmp_path, 3)]
    handles[1].code = 0
    assert here.poll(handles[1]) == 0
    here.submit(_jobs(tmp_path)[0])
    assert [environment["CUDA_VISIBLE_DEVICES"] for environment in started] == ["4", "7", "4", "7"]
    LocalProcesses(1).submit(_jobs(tmp_path)[0])
    assert started[-1] is None


def test_on_a_machine_with_gpus_there_is_a_process_for_each(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5,6")
    assert visible_gpus() == ["2", "5", "6"]
    cuda = Resources(device="cuda")
    made = comparison._executor(_args(), tmp_path, cuda)
    assert made.slots == 3
    assert comparison._executor(_args("--jobs", "8"), tmp_path, cuda).slots == 8
    monkeypatch.setattr(comparison, "default_slots", lambda: 11)
    assert comparison._executor(_args(), tmp_path, Resources(device="cpu")).slots == 11


def test_slurm_is_asked_for_gpu_memory_and_account(tmp_path, monkeypatch):
    asked = {}

    class AutoExecutor:
        def __init__(self, folder, cluster):
            asked["cluster"] = cluster

        def update_parameters(self, **parameters):
            asked.update(parameters)

    monkeypatch.setitem(sys.modules, "submitit", types.SimpleNamespace(AutoExecutor=AutoExecutor))
    SlurmJobs("gpu", 2.0, tmp_path, Resources(device="cuda", gpus=2, memory=8.0, account="lab"))
    assert asked == dict(
        cluster="slurm",
        timeout_min=120,
        cpus_per_task=1,
        name="rlkit-hfr",
        gpus_per_node=2,
        mem_gb=8.0,
        slurm_partition="gpu",
        slurm_account="lab",
    )
    asked.clear()
    SlurmJobs("cpu", 1.0, tmp_path, Resources(device="cpu"))
    assert not {"gpus_per_node", "mem_gb", "slurm_account"} & set(asked)


def test_ray_is_asked_for_gpu_and_memory(monkeypatch):
    asked = {}

    def remote(**parameters):
        asked.update(parameters)
        return lambda function: function

    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace(init=lambda **options: None, remote=remote))
    RayTasks("auto", Resources(device="cuda", gpus=1, memory=2.5))
    assert asked == dict(num_cpus=1, num_gpus=1, memory=2_500_000_000, max_calls=1, max_retries=0)
    asked.clear()
    RayTasks("auto", Resources(device="cpu"))
    assert asked["num_gpus"] == 0
    assert "memory" not in asked


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
    mine, others = _jobs(tmp_path, 2)
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
    (job,) = _jobs(tmp_path)
    job.folder.mkdir(parents=True)
    compared = Comparison([job], _Instant())
    with alone_in(job.folder):
        assert compared._outcome(job) == "elsewhere"
    assert compared._outcome(job) == "failed"
    monkeypatch.setattr(comparison, "finished", lambda job: True)  # by the other one, meanwhile
    assert compared._outcome(job) == "finished"


def test_a_stopped_run_of_a_host_is_not_touched(tmp_path, monkeypatch):
    (job,) = _jobs(tmp_path, host="oyster")
    job.folder.mkdir(parents=True)
    variant = {**job.variant(), "host": "oyster"}
    (job.folder / "variant.json").write_text(json.dumps(variant))
    with pytest.raises(ValueError, match="a run of oyster that was stopped, which can't go on; remove"):
        job.check()
    (carried,) = _jobs(tmp_path)
    with pytest.raises(ValueError, match="run of oyster"):
        carried.check()
    number = variant["algo_params"]["num_iterations"]
    rows = "".join(f"{i}\r\n" for i in range(number))
    (job.folder / "progress.csv").write_text("Epoch\r\n" + rows)
    job.check()
    assert jobs.finished(job)
