"""Who may write into a run's folder, and how a run begins there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from file_contents import contents
from tiny_runs import assignments, options

from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.runs.checkpoint import NAME
from rlkit_hfr.experiments.runs.folders import alone_in

SETTINGS = options(assignments(num_iterations=4, relabel_fraction=1.0))
ARGUMENTS = ["--env", "point-robot", "--preset", "quick", *SETTINGS]
HALF = ".variant.json.0123abcd.partial"  # what a process that was killed leaves


def test_a_lock_that_was_removed_and_made_anew_is_not_shared(tmp_path):
    with alone_in(tmp_path):
        (tmp_path / "lock").unlink()
        with alone_in(tmp_path), pytest.raises(ValueError, match="another process"), alone_in(tmp_path):
            pass


@pytest.mark.parametrize(
    "held", ["params.pkl", NAME, "notes.txt", ".hidden", "below/", "lock", "lock/", "variant.tmp", HALF]
)
def test_a_run_begins_in_an_empty_or_a_new_folder_alone(tmp_path, capsys, held):
    folder = tmp_path / "run"
    folder.mkdir()
    if held.endswith("/"):
        (folder / held).mkdir()
    else:
        (folder / held).write_text("precious")
    before = contents(tmp_path)
    assert main([*ARGUMENTS, "--run-dir", str(folder)]) == 2
    assert "must be empty or new" in capsys.readouterr().err
    assert contents(tmp_path) == before
    assert os.listdir(folder) == [held.rstrip("/")]


def test_what_a_start_leaves_that_was_killed_at_once_does_not_matter(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("lock", HALF, "console.log"):
        (folder / name).write_text("" if name == "lock" else "half")
    assert main([*ARGUMENTS, "--run-dir", str(folder)]) == 0
    assert {"lock", HALF}.isdisjoint(os.listdir(folder))


@pytest.mark.parametrize("last", ["variant.json", NAME])
@pytest.mark.parametrize("where", ["--run-dir", "--log-dir"])
def test_a_disk_that_is_full_at_the_start_leaves_nothing(tmp_path, capsys, monkeypatch, last, where):
    replace = os.replace

    def full(source, target):
        if Path(target).name == last:
            raise OSError(errno.ENOSPC, "No space left on device", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    assert main([*ARGUMENTS, where, str(tmp_path / "a" / "b")]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
