"""A run that was interrupted goes on as if it had not been; what is damaged is named and
left as it is.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
from pathlib import Path

import pytest
import torch
from child_runs import go_on_until_done, in_a_child, rows_of, start_of

from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.runs.checkpoint import NAME, is_finished
from rlkit_hfr.experiments.runs.folders import alone_in
from rlkit_hfr.pearl.sac import PEARLSoftActorCritic


def _interrupts(updates, number=signal.SIGINT):
    """Patches a child so that it gets a signal at each of these updates; three make an
    iteration.
    """

    def patch():
        def step(self, indices):
            if self._n_train_steps_total in updates:
                os.kill(os.getpid(), number)
            training(self, indices)

        training, PEARLSoftActorCritic._do_training = PEARLSoftActorCritic._do_training, step

    return patch


@pytest.fixture
def stopped(tmp_path):
    """The folder of a run that was stopped by one SIGINT in its third iteration."""
    assert in_a_child(start_of(tmp_path / "run"), before=_interrupts([6])) == 130
    return tmp_path / "run"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_clusters_and_closed_terminals_send_stops_a_run_alike(tmp_path, number):
    assert in_a_child(start_of(tmp_path / "run"), before=_interrupts([6], number)) == 130
    assert len(rows_of(tmp_path / "run")) == 3


def test_out_of_memory_is_one_line(tmp_path, capsys, monkeypatch):
    def step(self, indices):
        raise MemoryError

    monkeypatch.setattr(PEARLSoftActorCritic, "_do_training", step)
    assert main(start_of(tmp_path / "run")) == 1
    assert "out of memory" in capsys.readouterr().err


def test_ctrl_c_once_finishes_the_row_and_tells_how_to_go_on(stopped, whole, capsys):
    assert len(rows_of(stopped)) == 3
    assert torch.load(stopped / NAME, weights_only=True)["algorithm"]["iterations_done"] == 3
    assert main(["--resume", str(stopped)]) == 0
    assert rows_of(stopped) == whole()
    with open(stopped / "progress.csv", newline="") as file:
        seconds = [float(row["Total Train Time (s)"]) for row in csv.DictReader(file)]
    assert seconds == sorted(seconds)  # the time before counts as well
    assert "4/5  " in capsys.readouterr().out
    assert main(["--resume", str(stopped)]) == 0
    assert "Finished already" in capsys.readouterr().out


def test_ctrl_c_twice_stops_at_once(tmp_path, whole):
    folder = tmp_path / "run"
    assert in_a_child(start_of(folder), before=_interrupts([6, 7])) == 130
    assert len(rows_of(folder)) == 2
    go_on_until_done(folder, [])
    assert rows_of(folder) == whole()


def _cut(file: Path, size: int) -> None:
    with open(file, "r+b") as opened:
        opened.truncate(size)


class _Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/rlkit_hfr_evil",)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / NAME).write_bytes(b"nonsense"), "damaged"),
        (lambda run: _cut(run / NAME, 2000), "damaged"),
        (lambda run: torch.save({"format": 1, "evil": _Evil()}, run / NAME), "damaged or not a checkpoint"),
        (lambda run: torch.save({"weights": torch.zeros(3)}, run / NAME), "not a checkpoint of this version"),
        (lambda run: (run / NAME).unlink(), "no checkpoint.pt"),
        (lambda run: _cut(run / "progress.csv", 40), "fewer than"),
        (lambda run: (run / "variant.json").write_text("{"), "not valid JSON"),
        (lambda run: (run / "variant.json").write_text('{"a": 1}'), "not one of this launcher"),
        (
            lambda run: (run / "variant.json").write_text(
                (run / "variant.json").read_text().replace('"seed": 0', '"seed": 1')
            ),
            "other settings",
        ),
        (
            lambda run: (run / "variant.json").write_text(
                (run / "variant.json").read_text().replace('"net_size"', '"nets"')
            ),
            "it has no net_size",
        ),
        (lambda run: (run / "variant.json").unlink(), "holds no run"),
    ],
)
def test_what_is_damaged_is_named_and_left_alone(stopped, capsys, damage, message):
    damage(stopped)
    before = {file.name: file.read_bytes() for file in stopped.iterdir() if file.is_file()}
    assert main(["--resume", str(stopped)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert {file.name: file.read_bytes() for file in stopped.iterdir() if file.is_file()} == before
    assert not Path("/tmp/rlkit_hfr_evil").exists()


@pytest.mark.parametrize(
    "arguments",
    [("--env", "point-robot"), ("--seed", "0"), ("--set", "a=1"), ("--host", "oyster"), ("--run-dir", "x")],
)
def test_resume_takes_no_settings(stopped, capsys, arguments):
    assert main(["--resume", str(stopped), *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err


def test_two_processes_do_not_train_in_one_folder(stopped, capsys, whole):
    with alone_in(stopped):
        assert in_a_child(["--resume", str(stopped)]) == 2
        assert main(["--resume", str(stopped)]) == 2
    assert "another process is training in" in capsys.readouterr().err
    assert len(rows_of(stopped)) == 3
    go_on_until_done(stopped, [])
    assert rows_of(stopped) == whole()


def test_a_last_row_that_does_not_end_is_not_finished(tmp_path, whole):
    folder = tmp_path / "run"
    assert in_a_child([*start_of(folder), "--keep-checkpoint"]) == 0
    assert is_finished(folder)
    assert (folder / NAME).exists()
    _cut(folder / "progress.csv", (folder / "progress.csv").stat().st_size - 3)
    assert not is_finished(folder)


def test_a_dry_run_of_a_resume_shows_the_settings_and_touches_nothing(stopped, capsys):
    before = (stopped / "progress.csv").read_bytes()
    assert main(["--resume", str(stopped), "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["env_name"] == "sparse-point-robot"
    assert (stopped / "progress.csv").read_bytes() == before


def test_a_folder_with_a_run_is_not_begun_anew(stopped, capsys):
    assert main(start_of(stopped)) == 2
    assert "--resume" in capsys.readouterr().err
    assert len(rows_of(stopped)) == 3


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path, whole, capsys, monkeypatch):
    folder, replace = tmp_path / "run", os.replace

    def full(source, target):
        if Path(target).name == NAME and (folder / "progress.csv").exists() and len(rows_of(folder)) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    assert main(start_of(folder)) == 1
    err = capsys.readouterr().err
    assert "No space left on device" in err
    assert f"--resume {folder}" in err
    monkeypatch.undo()
    go_on_until_done(folder, [])
    assert rows_of(folder) == whole()


def test_a_loss_that_is_not_finite_stops_the_run_before_its_row(tmp_path, capsys, monkeypatch, whole):
    folder, training = tmp_path / "run", PEARLSoftActorCritic._do_training

    def poisoned(self, indices):
        if self.iterations_done == 2 and self._n_train_steps_total == 7:
            next(self.vf.parameters()).data.fill_(float("nan"))
        training(self, indices)

    monkeypatch.setattr(PEARLSoftActorCritic, "_do_training", poisoned)
    assert main(start_of(folder)) == 1
    err = capsys.readouterr().err
    assert "VF Loss became nan at update 2 of iteration 3" in err
    assert "Stopped after 2 of 5" in err
    assert len(rows_of(folder)) == 2
    monkeypatch.undo()
    go_on_until_done(folder, [])  # the checkpoint before it is sound
    assert rows_of(folder) == whole()


def test_a_checkpoint_holds_tensors_and_plain_values_alone(stopped):
    def kinds(value):
        if isinstance(value, dict):
            return set().union(*(kinds(v) for pair in value.items() for v in pair)) if value else set()
        if isinstance(value, (list, tuple)):
            return set().union(*map(kinds, value)) if value else set()
        return {type(value)}

    content = torch.load(stopped / NAME, weights_only=True)
    assert kinds(content) <= {torch.Tensor, int, float, str, bool, type(None)}
    assert json.loads(content["variant"])["env_name"] == "sparse-point-robot"


def test_a_checkpoint_that_is_to_be_kept_is_kept_by_a_resume_too(tmp_path):
    folder = tmp_path / "run"
    start = [*start_of(folder), "--keep-checkpoint"]
    assert in_a_child(start, before=_interrupts([6])) == 130
    assert in_a_child(["--resume", str(folder)]) == 0
    assert torch.load(folder / NAME, weights_only=True)["algorithm"]["iterations_done"] == 5
