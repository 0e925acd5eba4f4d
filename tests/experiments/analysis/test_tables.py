"""Tables beside the scores: what relabeling did, the runs, their settings."""

from __future__ import annotations

import numpy as np
from log_files import settings_of

from rlkit_hfr.experiments.analysis.logs import load_runs
from rlkit_hfr.experiments.analysis.study import Study
from rlkit_hfr.experiments.analysis.tables import (
    _most_moved,
    provenance_table,
    relabeling_table,
    run_table,
    settings_table,
)


def _study(folder):
    return Study(runs=load_runs([folder]), folders=[folder], last=2, window=1, statistic="mean")


def test_the_most_frequent_moves_have_their_share_of_what_the_first_task_collected():
    matrix = np.array([[6.0, 3.0, 1.0], [4.0, 0.0, 0.0], [0.0, 0.0, 9.0]])
    assert _most_moved(matrix) == [
        {"from": 1, "to": 0, "paths": 4.0, "share": 1.0},
        {"from": 0, "to": 1, "paths": 3.0, "share": 0.3},
        {"from": 0, "to": 2, "paths": 1.0, "share": 0.1},
    ]
    assert _most_moved(matrix, count=1) == _most_moved(matrix)[:1]
    assert _most_moved(np.eye(3)) == []  # what stays is no move
    assert _most_moved(None) == []


def test_what_relabeling_did_is_averaged_over_runs(write_run, tmp_path):
    for seed, entropy in enumerate((0.5, 1.0)):
        write_run(f"hfr/{seed}", variant=settings_of("hfr", seed), extra={"relabel/entropy": entropy})
    write_run("none/0", variant=settings_of("none"))
    table, numbers = relabeling_table(_study(tmp_path))
    assert [row[:2] for row in table.rows] == [["sawyer-push", "hfr"]]
    assert table.rows[0][table.header.index("entropy")] == "0.750"
    assert numbers["sawyer-push"]["hfr"]["moves"] == []
    assert relabeling_table(_study(tmp_path / "none")) == (None, {})


def test_every_run_has_its_row(write_run, tmp_path):
    write_run("a", variant=settings_of(seed=3), rows=4, extra={"Epoch Time (s)": 30})
    table, (run,) = run_table(_study(tmp_path))
    assert (run["test return"], run["iterations"], run["wall time (s)"]) == (2.5, 4, 120.0)
    assert table.rows[0][:4] == ["sawyer-push", "hfr", "3", "2.50"]
    assert table.rows[0][-2] == "2 min"
    assert table.rows[0][-1].endswith("*")  # when the log was last written


def test_runs_of_the_same_versions_share_a_row(write_run, tmp_path):
    for seed, torch in enumerate(("2", "2", "3")):
        variant = {**settings_of(seed=seed), "versions": {"torch": torch}, "started": f"2026-01-0{seed + 1}"}
        write_run(f"{seed}", variant=variant, extra={"Epoch Time (s)": 10})
    rows = sorted(provenance_table(_study(tmp_path)).rows)
    assert [(row[0], row[1], row[2], row[3], row[-1]) for row in rows] == [
        ("1", "2026-01-03", "2 min", "2 min", "torch 3"),
        ("2", "2026-01-01 to 2026-01-02", "2 min", "4 min", "torch 2"),
    ]


def test_settings_that_differ_have_a_row_a_value(write_run, tmp_path):
    write_run("a", variant=settings_of("hfr", discount=0.5))
    assert settings_table(_study(tmp_path))[0] is None
    write_run("b", variant=settings_of("hipi", discount=0.75))
    table, _ = settings_table(_study(tmp_path))
    assert table.rows == [["algo_params.discount", "0.5", "hfr"], ["algo_params.discount", "0.75", "hipi"]]
