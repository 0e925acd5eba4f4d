"""Reading everybody's logs, statistics whose answer is known, and a report that says what it shows."""
from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from launchers.logs import diagnostics, load_runs, read_table
from launchers.plot import main
from launchers.scores import aggregate_iqm, curve, final_score, interval, probability_of_improvement, score_matrices, smoothed

OURS = {"steps": "Number of env steps total", "return": "AverageReturn_all_test_tasks", "success": "SuccessRate_all_test_tasks"}
RLKIT = {"steps": "Number of env steps total", "return": "eval/adaptation/test_tasks/final_returns Mean"}
RELEASE = {"steps": "Timesteps", "return": "Average Return", "success": "Test Final Success"}


@pytest.fixture
def write_run(tmp_path):
    """A run's folder with a log: returns 0, 1, 2, ... + offset over steps 100, 200, ..."""

    def write(name: str, columns=OURS, offset=0.0, rows=12, variant=None, extra=None, success=0.5) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        with open(folder / "progress.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*columns.values(), *(extra or {})])
            for i in range(rows):
                figures = {"steps": 100 * (i + 1), "return": i + offset, "success": success}
                writer.writerow([*(figures[key] for key in columns), *(extra or {}).values()])
        if variant is not None:
            (folder / "variant.json").write_text(json.dumps(variant))
        return folder

    return write


def _ours(relabeler="hfr", seed=0, env="sawyer-push", **algo):
    return {"env_name": env, "relabeler": relabeler, "seed": seed, "algo_params": algo, "versions": {"torch": "2"}}


def test_logs_of_four_code_bases_come_under_one_set_of_names(write_run, tmp_path):
    write_run("a/ours", variant=_ours())
    write_run("b/oyster", variant={"env_name": "cheetah-vel", "algo_params": {}})
    write_run("c/rlkit_2020_01_01_00_00_00_0000--s-7", RLKIT, variant={"env_name": "ant-dir", "algo_params": {}})
    write_run("d/release", RELEASE, variant={"env_name": "sawyer-push", "algo_params": {"relabel_method": "hfr-q"}})
    runs = {run.folder.parent.name: run for run in load_runs([tmp_path])}
    assert {name: (run.env, run.method) for name, run in runs.items()} == {
        "a": ("sawyer-push", "hfr"), "b": ("cheetah-vel", "none"), "c": ("ant-dir", "none"), "d": ("sawyer-push", "hfr-q (release)")}
    assert runs["c"].seed == 7
    for run in runs.values():
        np.testing.assert_array_equal(run.table["steps"], 100 * np.arange(1, 13))
        np.testing.assert_array_equal(run.table["test return"], np.arange(12))
    assert runs["d"].table["test success"].iloc[0] == 0.5
    assert runs["c"].table["test success"].isna().all()


def test_headers_in_mid_file_and_half_rows_are_dropped(tmp_path):
    (tmp_path / "progress.csv").write_text("a,b\n0,1\n1,2\na,b\n2,\n3,nan\n4")
    table = read_table(tmp_path / "progress.csv")
    assert table["a"].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(table["b"], [1, 2, np.nan, np.nan])


def test_methods_that_differ_in_a_setting_are_told_apart(write_run, tmp_path):
    for seed in (0, 1):
        for value in (1.0, 10.0):
            write_run(f"{value}/s-{seed}", variant={**_ours(seed=seed), "relabel_params": {"temperature": value}})
    runs = load_runs([tmp_path])
    assert {run.method for run in runs} == {"hfr temperature=1.0", "hfr temperature=10.0"}
    assert sorted(run.seed for run in runs) == [0, 0, 1, 1]


def test_unreadable_runs_are_left_out_and_named(write_run, tmp_path):
    write_run("good", variant=_ours())
    write_run("bad", {"steps": "x", "return": "y"}, variant=_ours())
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "progress.csv").write_text("")
    with pytest.warns(UserWarning, match=r"left out .*(bad|empty)"):
        assert len(load_runs([tmp_path])) == 1
    with pytest.raises(ValueError, match="no progress.csv below"):
        load_runs([tmp_path / "nowhere"])


def test_the_interquartile_mean_and_its_interval():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 3)) + [0.0, 5.0, 9.0]
    centre, low, high = interval(values)
    np.testing.assert_allclose(centre, stats.trim_mean(values, 0.25, axis=0))
    assert (low < centre).all()
    assert (centre < high).all()
    spread = 1.96 * 1.1 / np.sqrt(40)  # the trimmed mean of a normal sample has about 1.1 times the deviation of the mean
    np.testing.assert_allclose(high - low, 2 * spread, rtol=0.4)
    centre, low, high = interval(values[:1])
    np.testing.assert_array_equal(centre, values[0])
    assert low is None
    assert high is None
    np.testing.assert_allclose(interval(values, "mean")[0], values.mean(axis=0))


def test_curves_are_of_the_steps_that_all_seeds_have(write_run, tmp_path):
    write_run("s-0", variant=_ours(seed=0), rows=12)
    write_run("s-1", variant=_ours(seed=1), rows=6, offset=2.0)
    drawn = curve(load_runs([tmp_path]), "test return", window=1, statistic="mean")
    assert (drawn.steps[0], drawn.steps[-1]) == (100, 600)
    np.testing.assert_allclose(drawn.centre, drawn.steps / 100)  # half way between i and i + 2
    assert drawn.seeds == 2
    np.testing.assert_allclose(smoothed(np.array([1.0, np.nan, 3.0, 5.0]), 2), [1.0, 1.0, 3.0, 4.0])


def test_final_scores_scaling_and_who_is_better(write_run, tmp_path):
    for seed in range(3):
        for env in ("x", "y"):
            write_run(f"{env}/none/s-{seed}", RLKIT, variant=_ours("none", seed, env), offset=seed)
            write_run(f"{env}/hfr/s-{seed}", RLKIT, variant=_ours("hfr", seed, env), offset=100.0 + seed)
    runs = load_runs([tmp_path])
    assert final_score(runs[0], "test return", 4) == pytest.approx(np.mean([8, 9, 10, 11]) + runs[0].seed + (100 if runs[0].method == "hfr" else 0))
    matrices, words = score_matrices(runs, 4)
    assert "scaled to [0, 1]" in words
    np.testing.assert_allclose(matrices["none"], np.array([[0, 0], [1, 1], [2, 2]]) / 102)
    np.testing.assert_allclose(matrices["hfr"], 1 - matrices["none"][::-1])
    centre, low, high = probability_of_improvement(matrices, "none")["hfr"]
    assert (centre, low, high) == (1.0, 1.0, 1.0)
    centre, low, high = aggregate_iqm(matrices)["none"]
    assert centre == pytest.approx(stats.trim_mean(matrices["none"].ravel(), 0.25))
    assert low <= centre <= high


def test_runs_without_steps_in_common_have_no_curve(write_run, tmp_path):
    write_run("s-0", variant=_ours(seed=0), rows=3)
    write_run("s-1", {"steps": "Number of env steps total", "return": "AverageReturn_all_test_tasks"}, variant=_ours(seed=1), rows=12)
    runs = load_runs([tmp_path])
    late = next(run for run in runs if run.seed == 1)
    late.table.loc[:, "steps"] += 5000
    assert curve(runs, "test return", 1) is None


def test_relabeling_is_drawn_for_each_environment_by_itself(write_run, tmp_path, capsys):
    for env, tasks in (("x", 2), ("y", 3)):
        folder = write_run(f"{env}/s-0", variant=_ours(env=env), extra={"relabel/effective tasks": 2.0})
        (folder / "relabeling").mkdir()
        np.savez(folder / "relabeling" / "epoch_0.npz", tasks=np.arange(tasks), source_to_new=np.eye(tasks))
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert {"relabeling-x.png", "relabeling-y.png"} <= {file.name for file in (tmp_path / "out").iterdir()}


def test_success_rates_are_taken_where_all_have_them(write_run, tmp_path):
    write_run("a", variant=_ours("none"), success=0.25)
    write_run("b", variant=_ours("hfr"), success=1.0)
    matrices, words = score_matrices(load_runs([tmp_path]), 3)
    assert words == "success rate"
    assert matrices["none"].tolist() == [[0.25]]
    assert np.isnan(aggregate_iqm(matrices)["none"][1])  # one seed has no interval


def test_a_report_names_seeds_versions_commands_and_single_seeds(write_run, tmp_path, capsys):
    extra = {"relabel/share that changed task": 0.5, "relabel/effective tasks": 3.0, "relabel/time (s)": 1.0, "Sample Time (s)": 4.0}
    folder = write_run("sweep/hfr/s-0", variant=_ours(seed=0), extra=extra)
    write_run("sweep/hfr/s-1", variant=_ours(seed=1), extra=extra, offset=1.0)
    write_run("sweep/none/s-0", variant=_ours("none"))
    (folder / "relabeling").mkdir()
    for epoch in (0, 1):
        np.savez(folder / "relabeling" / f"epoch_{epoch}.npz", tasks=np.arange(2), source_to_new=np.array([[1.0, 3.0], [0.0, 0.0]]))
    (tmp_path / "sweep" / "compare.json").write_text(json.dumps({"commands": ["python launchers/compare.py --env sawyer-push"]}))
    assert main([str(tmp_path / "sweep")]) == 0
    out = tmp_path / "sweep" / "report"
    names = {file.name for file in out.iterdir()}
    figures = {f"{name}.{end}" for name in ("curves", "aggregate", "relabeling-sawyer-push", "time") for end in ("png", "pdf")}
    assert names == figures | {"report.md", "report.html"}
    text = (out / "report.md").read_text()
    assert "| `hfr` | 0, 1 |" in text
    assert "| `none` | 0 | 6.50 | 0.50 |" in text  # one seed: no brackets
    assert "torch 2" in text
    assert "python launchers/compare.py --env sawyer-push" in text
    assert "<table>" in (out / "report.html").read_text()
    (run,) = (run for run in load_runs([folder]))
    np.testing.assert_array_equal(diagnostics(run)["source_to_new"], [[2, 6], [0, 0]])
    assert main([str(tmp_path / "sweep"), "--out", str(tmp_path / "again"), "--statistic", "mean"]) == 0
    capsys.readouterr()
    assert main([str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.startswith("error: no progress.csv below")


def test_recorded_runs_can_be_read():
    runs = load_runs([Path(__file__).parent.parent / "results"])
    assert {"none", "hfr"} <= {run.method.split()[0] for run in runs}
