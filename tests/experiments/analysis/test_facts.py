"""What is known of runs beside their scores."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from log_files import settings_of

from rlkit_hfr.experiments.analysis import facts
from rlkit_hfr.experiments.analysis.logs import load_runs
from rlkit_hfr.experiments.analysis.study import Study


def _study(folder):
    return Study(runs=load_runs([folder]), folders=[folder], last=1, window=1, statistic="mean")


def test_a_start_is_the_recorded_one_or_the_folders_stamp_or_when_the_log_was_written(write_run, tmp_path):
    write_run("a", variant={**settings_of(seed=0), "started": "2026-03-04 05:06"})
    write_run("b_2026_01_02_03_04_05", variant=settings_of(seed=1))
    folder = write_run("c_2026_13_99_03_04_05", variant=settings_of(seed=2))  # no date
    written = datetime(2025, 12, 24, 18, 30).timestamp()
    os.utime(folder / "progress.csv", (written, written))
    runs = sorted(load_runs([tmp_path]), key=lambda run: run.seed)
    assert [facts.started(run) for run in runs] == [
        "2026-03-04 05:06",
        "2026-01-02 03:04",
        f"2025-12-24 18:30{facts.LAST_WRITTEN}",
    ]


def test_commits_are_found_in_either_place(write_run, tmp_path):
    write_run("a", variant={**settings_of(seed=0), "versions": {"torch": "2", "commit": "abc"}})
    folder = write_run("b", variant=settings_of(seed=1))
    (folder / "git_info.txt").write_text("git hash: " + "0123456789" * 4)
    write_run("c", variant=settings_of(seed=2))
    runs = sorted(load_runs([tmp_path]), key=lambda run: run.seed)
    assert [facts.commit(run) for run in runs] == ["abc", "012345678901", facts.UNKNOWN]
    assert [facts.versions(run) for run in runs] == ["torch 2"] * 3


def test_wall_times_are_summed_and_spoken(write_run, tmp_path):
    write_run("a", variant=settings_of(seed=0), extra={"Epoch Time (s)": 10})
    write_run("b", variant=settings_of(seed=1))
    first, second = sorted(load_runs([tmp_path]), key=lambda run: run.seed)
    assert facts.wall_time(first) == 120.0
    assert np.isnan(facts.wall_time(second))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(89.4, "89 s"), (90.0, "2 min"), (5399.0, "90 min"), (5400.0, "1.5 h"), (float("nan"), facts.UNKNOWN)],
)
def test_times_are_in_the_unit_that_suits_them(seconds, text):
    assert facts.spoken(seconds) == text


def test_settings_that_differ_name_who_has_which(write_run, tmp_path):
    for name, rate in (("hfr", 0.5), ("hipi", 0.25)):
        write_run(name, variant=settings_of(name, discount=rate, meta_batch=3))
    differing, shared = facts.compared_settings(_study(tmp_path))
    assert differing["algo_params.discount"] == {"0.25": ["hipi"], "0.5": ["hfr"]}
    assert shared["algo_params.meta_batch"] == "3"


def test_long_settings_that_begin_alike_are_told_apart(write_run, tmp_path):
    for place, last in enumerate((1.0, 2.0)):
        variant = {**settings_of(), "relabel_params": {"prior": [1.0] * 40 + [last], "weights": [0.5] * 40}}
        write_run(f"{place}", variant=variant)
    differing, shared = facts.compared_settings(_study(tmp_path))
    assert len(differing["relabel_params.prior"]) == 2
    assert len(shared["relabel_params.weights"]) <= 80


def test_json_is_strict():
    value = {1: [np.float32(0.5), float("nan")], "b": (np.int64(3), None), Path: np.bool_(True)}
    assert json.loads(facts.as_json(value)) == {"1": [0.5, None], "b": [3, None], str(Path): True}
