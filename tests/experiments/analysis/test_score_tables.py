"""Scores by environment and over all of them."""

from __future__ import annotations

import pytest
from log_files import settings_of

from rlkit_hfr.experiments.analysis.logs import load_runs
from rlkit_hfr.experiments.analysis.score_tables import aggregate_table, cautions, final_note, final_tables
from rlkit_hfr.experiments.analysis.study import Study


@pytest.fixture
def study(write_run, tmp_path):
    def build(last: int = 2) -> Study:
        return Study(runs=load_runs([tmp_path]), folders=[tmp_path], last=last, window=1, statistic="mean")

    return build


def test_the_end_is_the_mean_of_the_last_evaluations_best_first(study, write_run):
    for seed, success in enumerate((0.25, 0.75)):
        write_run(f"hfr/{seed}", variant=settings_of("hfr", seed), success=success)
    write_run("none/0", variant=settings_of("none"), success=0.25, offset=50.0)
    (table,), numbers = final_tables(study(last=4))
    assert table.title == "sawyer-push"
    assert table.header == [
        "method", "seeds", "test return", "test success", "area, success", "collapses (runs)", "steps"
    ]  # fmt: skip
    assert table.rows == [
        ["hfr", "0, 1", "9.50", "0.500", "0.500", "0 (0)", "1,200"],
        ["none", "0", "59.50", "0.250", "0.250", "0 (0)", "1,200"],
    ]
    assert numbers["sawyer-push"]["hfr"]["score"] == 0.5
    assert "mean of a run's last 4 evaluations" in final_note(study(last=4))


def test_a_reader_is_cautioned_of_few_and_of_shorter_runs(study, write_run):
    write_run("hfr/0", variant={**settings_of("hfr", 0), "machine": {"processor": "Abacus"}}, rows=12)
    write_run("hfr/1", variant={**settings_of("hfr", 1), "machine": {"processor": "Quipu"}}, rows=6)
    few, lengths, processors = cautions(study())
    assert few.startswith("Fewer than 5 runs: hfr (2).")
    assert "sawyer-push have different lengths, 600 to 1,200 steps" in lengths
    assert "areas end at the fewest steps of all" in lengths
    assert "Abacus; Quipu" in processors


def test_enough_equal_runs_are_no_reason_for_caution(study, write_run):
    for seed in range(5):
        write_run(f"hfr/{seed}", variant=settings_of("hfr", seed))
    assert cautions(study()) == []


def test_over_all_environments_methods_are_compared_with_none(study, write_run):
    for seed in range(3):
        for env in ("x", "y"):
            write_run(f"{env}/hfr/{seed}", variant=settings_of("hfr", seed, env), success=1.0)
            write_run(f"{env}/none/{seed}", variant=settings_of("none", seed, env), success=0.0)
    table, numbers = aggregate_table(study())
    assert "P(better than none)" in table.header[2]
    better = numbers["estimates"]["end, better than none"]["hfr"]
    assert (better["centre"], better["low"], better["high"]) == (1.0, 1.0, 1.0)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["hfr"][0].startswith("1.00")
    assert rows["none"][1] == "–"  # none is not compared with itself
