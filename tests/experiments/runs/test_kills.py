"""A run that was killed goes on as if it had not been."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from child_runs import go_on_until_done, in_a_child, rows_of, start_of

from rlkit_hfr.experiments.runs.checkpoint import NAME, is_finished
from rlkit_hfr.experiments.runs.journal import rows_written
from rlkit_hfr.files import half_of
from rlkit_hfr.pearl import writers


def test_twenty_kills_at_random_moments_leave_no_trace(tmp_path, whole):
    expected = whole()
    rng = np.random.default_rng(0)
    folder, kills, resumed_after = tmp_path / "run", 0, []
    while kills < 20:
        if is_finished(folder):  # begin another
            assert rows_of(folder) == expected
            shutil.rmtree(folder)
        start = start_of(folder)
        arguments = ["--resume", str(folder)] if (folder / "variant.json").exists() else start
        # At once or after another row, and then a while, wherever that is: so that the
        # kills are spread over the run on any machine.
        rows, wait = rows_written(folder) + int(rng.integers(2)), float(rng.exponential(0.05))

        def moment(rows=rows, wait=wait) -> bool:
            if rows_written(folder) < rows:
                return False
            time.sleep(wait)
            return True

        code = in_a_child(arguments, kill_when=moment)
        assert code in (0, -signal.SIGKILL)
        kills += code != 0
        if code != 0 and (folder / NAME).exists():
            resumed_after.append(torch.load(folder / NAME, weights_only=True)["algorithm"]["iterations_done"])
    go_on_until_done(folder, start_of(folder))
    assert rows_of(folder) == expected
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
        in_a_child(start_of(folder, *settings, env=env, relabeler=relabeler), before=stop_early)
        == -signal.SIGKILL
    )
    assert in_a_child(["--resume", str(folder)], before=stop_early) == -signal.SIGKILL
    assert len(rows_of(folder)) == 3
    go_on_until_done(folder, [])
    assert rows_of(folder) == expected


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
    assert in_a_child(start_of(folder), before=die_in_a_row) == -signal.SIGKILL
    assert (folder / "progress.csv").read_text()[-1] != "\n"
    assert in_a_child(["--resume", str(folder)], before=die_in_the_checkpoint) == -signal.SIGKILL
    assert [half_of(name) for name in os.listdir(folder) if half_of(name)] == [NAME]
    go_on_until_done(folder, [])
    assert rows_of(folder) == expected
    assert not any(half_of(name) for name in os.listdir(folder))
