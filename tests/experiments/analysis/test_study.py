"""The runs of a report: how they are grouped, and what their averages are called."""

from __future__ import annotations

import numpy as np
import pytest
from log_files import settings_of

from rlkit_hfr.experiments.analysis.logs import load_runs
from rlkit_hfr.experiments.analysis.study import Study, pooled, trimmed


@pytest.fixture
def study(write_run, tmp_path):
    """Five runs of hfr and two of none on one family, one of hfr on another."""

    def build(statistic: str) -> Study:
        return Study(runs=load_runs([tmp_path]), folders=[tmp_path], last=2, window=1, statistic=statistic)

    for seed in range(5):
        write_run(f"x/hfr/{seed}", variant=settings_of("hfr", seed, "x"), offset=9.0)
    for seed in range(2):
        write_run(f"x/none/{seed}", variant=settings_of("none", seed, "x"))
    write_run("y/hfr/0", variant=settings_of("hfr", 0, "y"), offset=9.0)
    return build


def test_runs_are_grouped_and_counted(study):
    found = study("mean")
    assert found.envs == ["x", "y"]
    assert set(found.methods) == {"hfr", "none"}
    assert len(found.group("x", "hfr")) == 5
    assert len(found.group(None, "hfr")) == 6
    assert found.group("y", "none") == []
    assert (found.seeds("hfr"), found.seeds("none")) == ((1, 5), (2, 2))
    assert set(found.looks) == set(found.methods)
    assert found.moves == {}


def test_averages_and_intervals_are_called_what_they_are(study):
    assert study("mean").averaged() == "mean over seeds"
    assert study("iqm").averaged() == "mean over seeds"  # one run is too few to trim
    assert study("iqm").spread().startswith("no intervals: fewer than")


def test_who_is_trimmed_is_said():
    assert trimmed("over seeds", {"a": 9, "b": 9}) == "interquartile mean over seeds"
    assert trimmed("over seeds", {"a": 1, "b": 2}) == "mean over seeds"
    assert trimmed("over seeds", {"a": 9, "b": 2}).startswith(
        "interquartile mean over seeds (mean of b: under"
    )
    assert pooled({"a": np.zeros((3, 4))}) == "interquartile mean over seeds and environments"
