"""A run that was killed goes on as if it had not been; what is damaged is named and
left as it is.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_runs import assignments, options

from rlkit_hfr import attach
from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.runs.checkpoint import NAME, is_finished
from rlkit_hfr.experiments.runs.folders import alone_in
from rlkit_hfr.experiments.runs.journal import rows_written
from rlkit_hfr.files import half_of
from rlkit_hfr.pearl import logger as logging
from rlkit_hfr.pearl import writers
from rlkit_hfr.pearl.sac import PEARLSoftActorCritic

TINY = assignments(num_iterations=5, relabel_fraction=1.0)


def _start(
    folder: Path, *settings: str, env: str = "sparse-point-robot", relabeler: str = "hfr"
) -> list[str]:
    pairs = options([*TINY, *settings])
    return ["--env", env, "--relabeler", relabeler, "--preset", "quick", "--run-dir", str(folder), *pairs]


def _in_a_child(arguments: list[str], before=None, kill_when=None) -> int:
    """Run the launcher in a forked process; returns its exit code, or minus the signal
    that ended it. kill_when: asked until it is true, which is the moment of a SIGKILL.
    """
    child = os.fork()
    if child == 0:
        code = 70
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1), os.dup2(quiet, 2)
            logging.logger.reset()
            if before is not None:
                before()
            code = main(arguments)
        finally:
            os._exit(code)
    while kill_when is not None:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if kill_when():
            os.kill(child, signal.SIGKILL)
            break
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "progress.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Epoch"] for row in rows] == [str(i) for i in range(len(rows))]
    return [
        {key: value for key, value in row.items() if "(s)" not in key and "share of time" not in key}
        for row in rows
    ]


def _go_on_until_done(folder: Path, start: list[str]) -> None:
    for _ in range(30):
        if is_finished(folder):
            return
        assert _in_a_child(["--resume", str(folder)] if (folder / "variant.json").exists() else start) == 0
    pytest.fail("the run does not end")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The log of a run that was never stopped, by its arguments."""
    done = {}

    def run(*settings, **options):
        key = (settings, tuple(options.items()))
        if key not in done:
            folder = tmp_path_factory.mktemp("whole") / "run"
            assert _in_a_child(_start(folder, *settings, **options)) == 0
            done[key] = _rows(folder)
            assert len(done[key]) == 5
            assert not (folder / NAME).exists()
        return done[key]

    return run


def test_twenty_kills_at_random_moments_leave_no_trace(tmp_path, whole):
    expected = whole()
    rng = np.random.default_rng(0)
    folder, kills, resumed_after = tmp_path / "run", 0, []
    while kills < 20:
        if is_finished(folder):  # begin another
            assert _rows(folder) == expected
            shutil.rmtree(folder)
        start = _start(folder)
        arguments = ["--resume", str(folder)] if (folder / "variant.json").exists() else start
        # At once or after another row, and then a while, wherever that is: so that the
        # kills are spread over the run on any machine.
        rows, wait = rows_written(folder) + int(rng.integers(2)), float(rng.exponential(0.05))

        def moment(rows=rows, wait=wait) -> bool:
            if rows_written(folder) < rows:
                return False
            time.sleep(wait)
            return True

        code = _in_a_child(arguments, kill_when=moment)
        assert code in (0, -signal.SIGKILL)
        kills += code != 0
        if code != 0 and (folder / NAME).exists():
            resumed_after.append(torch.load(folder / NAME, weights_only=True)["algorithm"]["iterations_done"])
    _go_on_until_done(folder, _start(folder))
    assert _rows(folder) == expected
    assert len(set(resumed_after) & {1, 2, 3, 4}) >= 3  # the kills were spread over the run


@pytest.mark.parametrize(
    ("env", "relabeler", "settings"),
    [
        ("point-robot", "air", ()),
        ("point-robot", "hfr-bellman", ()),
        ("point-robot", "hipi", ("keep_original=true",)),
        ("point-robot", "none", ()),
        ("point-robot", "virtual", ()),
        ("sparse-point-robot", "hipi-sampling", ("sparse_rewards=true",)),
        ("point-robot", "hfr", ("rewards=learned",)),
        ("four-corners", "future-state", ("n_train_tasks=4",)),
        ("point-robot", "hipi-trajectory", ("num_train_steps_per_itr=0", "stale_context=keep")),
        ("point-robot", "hfr-bellman", ("num_train_steps_per_itr=0",)),
        ("sparse-point-robot", "hfr", ("replay_buffer_size=45",)),
        ("ant-goal", "hfr", ("num_initial_steps=30", "max_path_length=30")),
        ("sawyer-push", "random", ("max_path_length=30",)),
    ],
)
def test_stopping_after_any_iteration_is_invisible(tmp_path, whole, env, relabeler, settings):
    expected = whole(*settings, env=env, relabeler=relabeler)
    folder = tmp_path / "run"

    def stop_early():
        def saved(*arguments):
            save(*arguments)
            if arguments[2].iterations_done in (1, 3):
                os.kill(os.getpid(), signal.SIGKILL)

        import rlkit_hfr.experiments.runs.carried as carried

        save, carried.save_checkpoint = carried.save_checkpoint, saved

    assert (
        _in_a_child(_start(folder, *settings, env=env, relabeler=relabeler), before=stop_early)
        == -signal.SIGKILL
    )
    assert _in_a_child(["--resume", str(folder)], before=stop_early) == -signal.SIGKILL
    assert len(_rows(folder)) == 3
    _go_on_until_done(folder, [])
    assert _rows(folder) == expected


def test_a_kill_within_the_row_or_the_checkpoint_loses_nothing(tmp_path, whole):
    expected = whole()

    def die_in_a_row():
        def half(self, row):
            with open(self._file, "a", newline="") as file:
                file.write(",".join(map(str, row.values()))[:37])
            if self.columns is not None and row.get("Epoch") == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            with open(self._file, "r+") as file:
                file.truncate(os.path.getsize(file.name) - 37)
            append(self, row)

        append, writers.CSVRows._append = writers.CSVRows._append, half

    def die_in_the_checkpoint():
        def half(content, file, *rest):
            if (
                half_of(Path(getattr(file, "name", "")).name) == NAME
                and content["algorithm"]["iterations_done"] == 4
            ):
                file.write(b"half a checkpoint")
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            save(content, file, *rest)

        save, torch.save = torch.save, half

    folder = tmp_path / "run"
    assert _in_a_child(_start(folder), before=die_in_a_row) == -signal.SIGKILL
    assert (folder / "progress.csv").read_text()[-1] != "\n"
    assert _in_a_child(["--resume", str(folder)], before=die_in_the_checkpoint) == -signal.SIGKILL
    assert [half_of(name) for name in os.listdir(folder) if half_of(name)] == [NAME]
    _go_on_until_done(folder, [])
    assert _rows(folder) == expected
    assert not any(half_of(name) for name in os.listdir(folder))


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
    assert _in_a_child(_start(tmp_path / "run"), before=_interrupts([6])) == 130
    return tmp_path / "run"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_clusters_and_closed_terminals_send_stops_a_run_alike(tmp_path, number):
    assert _in_a_child(_start(tmp_path / "run"), before=_interrupts([6], number)) == 130
    assert len(_rows(tmp_path / "run")) == 3


def test_out_of_memory_is_one_line(tmp_path, capsys, monkeypatch):
    def step(self, indices):
        raise MemoryError

    monkeypatch.setattr(PEARLSoftActorCritic, "_do_training", step)
    assert main(_start(tmp_path / "run")) == 1
    assert "out of memory" in capsys.readouterr().err


def test_noise_of_another_device_begins_anew(make_algorithm):
    relabeling = attach(make_algorithm(), "hfr", seed=0)
    relabeling.scorer.noise(1)
    state = relabeling.state_dict()
    state["router"]["scorer"] |= {"noise_device": "cuda", "noise": torch.zeros(16, dtype=torch.uint8)}
    relabeling.load_state_dict(state)
    assert relabeling.scorer.noise(2).shape == (2,)


def test_ctrl_c_once_finishes_the_row_and_tells_how_to_go_on(stopped, whole, capsys):
    assert len(_rows(stopped)) == 3
    assert torch.load(stopped / NAME, weights_only=True)["algorithm"]["iterations_done"] == 3
    assert main(["--resume", str(stopped)]) == 0
    assert _rows(stopped) == whole()
    with open(stopped / "progress.csv", newline="") as file:
        seconds = [float(row["Total Train Time (s)"]) for row in csv.DictReader(file)]
    assert seconds == sorted(seconds)  # the time before counts as well
    assert "4/5  " in capsys.readouterr().out
    assert main(["--resume", str(stopped)]) == 0
    assert "Finished already" in capsys.readouterr().out


def test_ctrl_c_twice_stops_at_once(tmp_path, whole):
    folder = tmp_path / "run"
    assert _in_a_child(_start(folder), before=_interrupts([6, 7])) == 130
    assert len(_rows(folder)) == 2
    _go_on_until_done(folder, [])
    assert _rows(folder) == whole()


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
        assert _in_a_child(["--resume", str(stopped)]) == 2
        assert main(["--resume", str(stopped)]) == 2
    assert "another process is training in" in capsys.readouterr().err
    assert len(_rows(stopped)) == 3
    _go_on_until_done(stopped, [])
    assert _rows(stopped) == whole()


def test_a_last_row_that_does_not_end_is_not_finished(tmp_path, whole):
    folder = tmp_path / "run"
    assert _in_a_child([*_start(folder), "--keep-checkpoint"]) == 0
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
    assert main(_start(stopped)) == 2
    assert "--resume" in capsys.readouterr().err
    assert len(_rows(stopped)) == 3


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path, whole, capsys, monkeypatch):
    folder, replace = tmp_path / "run", os.replace

    def full(source, target):
        if Path(target).name == NAME and (folder / "progress.csv").exists() and len(_rows(folder)) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    assert main(_start(folder)) == 1
    err = capsys.readouterr().err
    assert "No space left on device" in err
    assert f"--resume {folder}" in err
    monkeypatch.undo()
    _go_on_until_done(folder, [])
    assert _rows(folder) == whole()


def test_a_loss_that_is_not_finite_stops_the_run_before_its_row(tmp_path, capsys, monkeypatch, whole):
    folder, training = tmp_path / "run", PEARLSoftActorCritic._do_training

    def poisoned(self, indices):
        if self.iterations_done == 2 and self._n_train_steps_total == 7:
            next(self.vf.parameters()).data.fill_(float("nan"))
        training(self, indices)

    monkeypatch.setattr(PEARLSoftActorCritic, "_do_training", poisoned)
    assert main(_start(folder)) == 1
    err = capsys.readouterr().err
    assert "VF Loss became nan at update 2 of iteration 3" in err
    assert "Stopped after 2 of 5" in err
    assert len(_rows(folder)) == 2
    monkeypatch.undo()
    _go_on_until_done(folder, [])  # the checkpoint before it is sound
    assert _rows(folder) == whole()


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
