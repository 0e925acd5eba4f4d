"""How many paths went from which task to which."""

from __future__ import annotations

import numpy as np
import pytest
from log_files import settings_of

from rlkit_hfr.experiments.analysis.logs import load_runs
from rlkit_hfr.experiments.analysis.moves import moves_of, source_to_new
from rlkit_hfr.experiments.analysis.notices import LeftOut


def _moved(folder, *matrices):
    (folder / "relabeling").mkdir()
    for epoch, matrix in enumerate(matrices):
        np.savez(folder / "relabeling" / f"epoch_{epoch}.npz", source_to_new=np.array(matrix))


def test_moves_are_summed_over_epochs_and_over_runs(write_run, tmp_path):
    _moved(write_run("a", variant=settings_of(seed=0)), [[1, 3], [0, 0]], [[0, 1], [2, 0]])
    _moved(write_run("b", variant=settings_of(seed=1)), [[0.0, 0.0], [0.0, 5.0]])
    _moved(write_run("c", variant=settings_of("hipi")), [[7, 0], [0, 0]])
    write_run("d", variant=settings_of("none"))
    runs = load_runs([tmp_path])
    found = moves_of(runs)
    assert {key: moved.tolist() for key, moved in found.items()} == {
        ("sawyer-push", "hfr"): [[1, 4], [2, 5]],
        ("sawyer-push", "hipi"): [[7, 0], [0, 0]],
    }
    assert [source_to_new(run) is None for run in runs if run.method == "none"] == [True]


def test_what_is_no_matrix_of_numbers_is_left_out(write_run, tmp_path):
    bad = [[1.0, 2.0]], [[-1.0]], [["a"]], np.zeros((0, 0))
    _moved(write_run("a", variant=settings_of()), [[2.0]], *bad)
    (run,) = load_runs([tmp_path])
    with pytest.warns(LeftOut) as warned:
        assert source_to_new(run).tolist() == [[2.0]]
    assert len(warned) == len(bad)


def test_runs_of_another_number_of_tasks_are_left_out(write_run, tmp_path):
    _moved(write_run("a", variant=settings_of(seed=0)), np.eye(2))
    _moved(write_run("b", variant=settings_of(seed=1)), np.eye(3))
    with pytest.warns(LeftOut, match="it has . tasks, the runs before it"):
        (moved,) = moves_of(load_runs([tmp_path])).values()
    assert np.array_equal(moved, np.eye(len(moved)))
