"""Statistics whose answer is known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from log_files import OURS, RLKIT, settings_of
from scipy import stats

from rlkit_hfr.experiments.analysis.logs import load_runs
from rlkit_hfr.experiments.analysis.scores import (
    aggregate_iqm,
    area,
    area_scores,
    collapses,
    curve,
    end_scores,
    final_score,
    interval,
    methods_of,
    probability_of_improvement,
    score_matrices,
    smoothed,
)


def test_the_interquartile_mean_and_its_interval():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 3)) + [0.0, 5.0, 9.0]
    centre, low, high = interval(values)
    np.testing.assert_allclose(centre, stats.trim_mean(values, 0.25, axis=0))
    assert (low < centre).all()
    assert (centre < high).all()
    spread = (
        1.96 * 1.1 / np.sqrt(40)
    )  # the trimmed mean of a normal sample has about 1.1 times the deviation of the mean
    np.testing.assert_allclose(high - low, 2 * spread, rtol=0.4)
    for few in (1, 2):
        centre, low, high = interval(values[:few])
        np.testing.assert_allclose(centre, values[:few].mean(axis=0))
        assert low is None
        assert high is None
    centre, low, high = interval(values[:3])  # nothing is trimmed of three
    np.testing.assert_allclose(centre, values[:3].mean(axis=0))
    assert (low <= centre).all()
    assert (centre <= high).all()
    np.testing.assert_allclose(interval(values, "mean")[0], values.mean(axis=0))


def test_intervals_are_the_same_whatever_was_drawn_before():
    values = np.random.default_rng(0).normal(size=(5, 300))
    found = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002 (the generator that rliable draws from)
        found.append(interval(values))
        drawn = np.random.random()  # noqa: NPY002
        np.random.seed(seed)  # noqa: NPY002
        assert drawn == np.random.random()  # noqa: NPY002 (it goes on as if nothing had been drawn)
    np.testing.assert_array_equal(found[0], found[1])


def test_curves_are_of_the_steps_that_all_seeds_have(write_run, tmp_path):
    write_run("s-0", variant=settings_of(seed=0), rows=12)
    write_run("s-1", variant=settings_of(seed=1), rows=6, offset=2.0)
    drawn = curve(load_runs([tmp_path]), "test return", window=1, statistic="mean")
    assert (drawn.steps[0], drawn.steps[-1]) == (100, 600)
    np.testing.assert_allclose(drawn.centre, drawn.steps / 100)  # half way between i and i + 2
    assert drawn.seeds == 2
    np.testing.assert_allclose(smoothed(np.array([1.0, np.nan, 3.0, 5.0]), 2), [1.0, 1.0, 3.0, 4.0])


def test_final_scores_scaling_and_who_is_better(write_run, tmp_path):
    for seed in range(3):
        for env in ("x", "y"):
            write_run(f"{env}/none/s-{seed}", RLKIT, variant=settings_of("none", seed, env), offset=seed)
            write_run(
                f"{env}/hfr/s-{seed}", RLKIT, variant=settings_of("hfr", seed, env), offset=100.0 + seed
            )
    runs = load_runs([tmp_path])
    assert final_score(runs[0], "test return", 4) == pytest.approx(
        np.mean([8, 9, 10, 11]) + runs[0].seed + (100 if runs[0].method == "hfr" else 0)
    )
    matrices, words = score_matrices(runs, end_scores(runs, 4))
    assert "scaled to [0, 1]" in words
    np.testing.assert_allclose(matrices["none"], np.array([[0, 0], [1, 1], [2, 2]]) / 102)
    np.testing.assert_allclose(matrices["hfr"], 1 - matrices["none"][::-1])
    centre, low, high = probability_of_improvement(matrices, "none")["hfr"]
    assert (centre, low, high) == (1.0, 1.0, 1.0)
    centre, low, high = aggregate_iqm(matrices)["none"]
    assert centre == pytest.approx(stats.trim_mean(matrices["none"].ravel(), 0.25))
    assert low <= centre <= high


def test_runs_without_steps_in_common_have_no_curve(write_run, tmp_path):
    write_run("s-0", variant=settings_of(seed=0), rows=3)
    write_run(
        "s-1",
        {"steps": "Number of env steps total", "return": "AverageReturn_all_test_tasks"},
        variant=settings_of(seed=1),
        rows=12,
    )
    runs = load_runs([tmp_path])
    late = next(run for run in runs if run.seed == 1)
    late.table.loc[:, "steps"] += 5000
    assert curve(runs, "test return", 1) is None


def test_success_rates_are_taken_where_all_have_them(write_run, tmp_path):
    write_run("a", variant=settings_of("none"), success=0.25)
    write_run("b", variant=settings_of("hfr"), success=1.0)
    runs = load_runs([tmp_path])
    matrices, words = score_matrices(runs, end_scores(runs, 3))
    assert words == "test success rate, mean of the last 3 evaluations"
    assert matrices["none"].tolist() == [[0.25]]
    assert np.isnan(aggregate_iqm(matrices)["none"][1])  # one seed has no interval


def _with_success(write_run, tmp_path, values, name="s-0", **options):
    folder = write_run(name, rows=len(values), **options)
    lines = (folder / "progress.csv").read_text().splitlines()
    rows = [line.rsplit(",", 1)[0] + f",{value}" for line, value in zip(lines[1:], values, strict=True)]
    (folder / "progress.csv").write_text("\n".join([lines[0], *rows]) + "\n")
    return next(run for run in load_runs([tmp_path]) if run.folder == folder)


def test_the_area_is_the_mean_height_over_the_steps(write_run, tmp_path):
    run = _with_success(write_run, tmp_path, [0.0, 0.5, "nan", 0.5], variant=settings_of())
    assert area(run, "test success", (-np.inf, np.inf)) == pytest.approx((25 + 100) / 300)
    assert area(run, "test success", (150, 200)) == pytest.approx(0.375)
    late = write_run("s-1", variant=settings_of(seed=1), rows=2, success=1.0)
    runs = load_runs([tmp_path])  # in common: steps 100 to 200
    values = dict(zip([run.folder for run in runs], area_scores(runs).values, strict=True))
    assert values == {run.folder: pytest.approx(0.25), late: pytest.approx(1.0)}


def test_a_collapse_is_a_drop_of_half_between_evaluations(write_run, tmp_path):
    run = _with_success(write_run, tmp_path, [1.0, 0.5, "nan", 0.0, 0.9, 0.45], variant=settings_of())
    assert collapses(run) == 2
    run.table["test success"] = np.nan
    assert collapses(run) is None


def test_methods_come_best_first(write_run, tmp_path):
    for method, success in (("none", 0.1), ("air", 0.2), ("hfr", 0.9), ("hipi", 0.2)):
        write_run(method, variant=settings_of(method), success=success)
    runs = load_runs([tmp_path])
    assert methods_of(runs) == ["hfr", "air", "hipi", "none"]
    assert list(score_matrices(runs, end_scores(runs, 3))[0]) == ["hfr", "air", "hipi", "none"]


def test_methods_are_ordered_by_what_the_tables_show(write_run, tmp_path):
    """One run that got lucky lifts the mean above the other method's, not the interquartile mean."""
    for seed, lucky in enumerate((0.2, 0.2, 0.2, 0.2, 0.9)):
        write_run(f"air-{seed}", variant=settings_of("air", seed=seed), success=lucky)
        write_run(f"hfr-{seed}", variant=settings_of("hfr", seed=seed), success=0.3)
    runs = load_runs([tmp_path])
    assert methods_of(runs) == ["hfr", "air"]
    assert methods_of(runs, statistic="mean") == ["air", "hfr"]
    assert list(score_matrices(runs, end_scores(runs, 3))[0]) == ["hfr", "air"]


def _write(folder, variant, **columns):
    """A run's folder with these columns, by their short names."""
    folder.mkdir(parents=True)
    table = pd.DataFrame({OURS[name]: values for name, values in columns.items()})
    table.to_csv(folder / "progress.csv", index=False)
    (folder / "variant.json").write_text(json.dumps(variant))


def test_equal_scores_are_ties_in_whatever_order_they_were_added(tmp_path):
    orders = {"none": [0.85, 0.9, 0.95, 1.0, 1.0], "hfr": [0.85, 0.95, 0.9, 1.0, 1.0]}
    assert np.mean(orders["none"]) != np.mean(orders["hfr"])  # in the last bit
    for seed in range(3):
        for method, values in orders.items():
            folder = tmp_path / method / str(seed)
            steps = np.arange(5) * 100
            _write(folder, settings_of(method, seed), steps=steps, success=values, **{"return": values})
    runs = load_runs([tmp_path])
    matrices, _ = score_matrices(runs, end_scores(runs, 5))
    assert probability_of_improvement(matrices, "none")["hfr"].centre == 0.5


def test_a_curve_and_its_mirror_image_have_equal_areas(tmp_path):
    heights = [0.85, 0.85, 0.95, 0.85, 0.95]
    for seed, values in enumerate((heights, heights[::-1])):
        steps = np.arange(1, 6) * 100
        _write(
            tmp_path / str(seed), settings_of(seed=seed), steps=steps, success=values, **{"return": values}
        )
    first, second = load_runs([tmp_path])
    everywhere = (-np.inf, np.inf)
    assert area(first, "test success", everywhere) != area(second, "test success", everywhere)  # the last bit
    assert len(set(area_scores([first, second]).values)) == 1


def test_a_column_that_begins_late_is_compared_where_all_have_it(tmp_path):
    height = np.arange(10.0)
    for seed, values in enumerate((height, np.where(height < 5, np.nan, height))):
        steps = 1000 * np.arange(1, 11)
        _write(tmp_path / str(seed), settings_of(seed=seed), steps=steps, **{"return": values})
    runs = load_runs([tmp_path])
    assert area_scores(runs).values == (7.0, 7.0)
    drawn = curve(runs, "test return", 1)
    assert (drawn.steps[0], drawn.steps[-1]) == (6000, 10000)
    np.testing.assert_allclose(drawn.centre, drawn.steps / 1000 - 1)


def test_areas_end_where_the_shortest_run_ends_also_if_it_has_one_row_yet(tmp_path):
    for seed, rows in enumerate((10, 10, 1)):
        columns = {"steps": 1000 * np.arange(1, rows + 1), "return": np.arange(float(rows))}
        _write(tmp_path / str(seed), settings_of(seed=seed), **columns)
    assert area_scores(load_runs([tmp_path])).values == (0.0, 0.0, 0.0)


def test_runs_without_a_step_in_common_have_the_area_of_their_own_steps(tmp_path):
    for seed, start in enumerate((0, 10)):
        columns = {"steps": 1000 * np.arange(start, start + 5), "return": np.arange(5.0)}
        _write(tmp_path / str(seed), settings_of(seed=seed), **columns)
    assert area_scores(load_runs([tmp_path])).values == (2.0, 2.0)
