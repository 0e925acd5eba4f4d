"""Seeds and devices: what a run gets."""

from __future__ import annotations

import pytest
import torch

from rlkit_hfr.experiments.commands import compare
from rlkit_hfr.experiments.sweeps import comparison
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


def test_on_a_machine_with_gpus_there_is_a_process_for_each(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5,6")
    assert visible_gpus() == ["2", "5", "6"]
    cuda = Resources(device="cuda")
    made = comparison._executor(_args(), tmp_path, cuda)
    assert made.slots == 3
    assert comparison._executor(_args("--jobs", "8"), tmp_path, cuda).slots == 8
    monkeypatch.setattr(comparison, "default_slots", lambda: 11)
    assert comparison._executor(_args(), tmp_path, Resources(device="cpu")).slots == 11
