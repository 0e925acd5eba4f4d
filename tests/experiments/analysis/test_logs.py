"""Everybody's logs come under one set of names; what can't be read is left out and
named.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from log_files import RELEASE, RLKIT, settings_of

from rlkit_hfr.experiments.analysis.logs import load_runs, read_table


def test_logs_of_four_code_bases_come_under_one_set_of_names(write_run, tmp_path):
    write_run("a/ours", variant=settings_of())
    write_run("b/oyster", variant={"env_name": "cheetah-vel", "algo_params": {}})
    write_run(
        "c/rlkit_2020_01_01_00_00_00_0000--s-7", RLKIT, variant={"env_name": "ant-dir", "algo_params": {}}
    )
    write_run(
        "d/release", RELEASE, variant={"env_name": "sawyer-push", "algo_params": {"relabel_method": "hfr-q"}}
    )
    runs = {run.folder.parent.name: run for run in load_runs([tmp_path])}
    assert {name: (run.env, run.method) for name, run in runs.items()} == {
        "a": ("sawyer-push", "hfr"),
        "b": ("cheetah-vel", "none"),
        "c": ("ant-dir", "none"),
        "d": ("sawyer-push", "hfr-q (release)"),
    }
    assert runs["c"].seed == 7
    for run in runs.values():
        np.testing.assert_array_equal(run.table["steps"], 100 * np.arange(1, 13))
        np.testing.assert_array_equal(run.table["test return"], np.arange(12))
    assert runs["d"].table["test success"].iloc[0] == 0.5
    assert runs["c"].table["test success"].isna().all()


def test_folders_as_rlkit_oyster_and_viskit_lay_them_out(write_run, tmp_path):
    """rlkit: prefix/prefix_date_id--sN, classes in variant.json; oyster: env/date, no
    seed; viskit: params.json, names from the folder, log.txt for an empty progress.csv.
    """
    launched = {
        "exp_id": 3,
        "unique_id": "a",
        "env_class": {"$class": "envs.ant.AntDirEnv"},
        "algo_kwargs": {"lr": 1},
    }
    columns = {"steps": "exploration/num steps total", "return": "evaluation/Average Returns"}
    for seed in (0, 1):
        variant = launched | {"exp_id": seed, "unique_id": str(seed)}
        write_run(f"rlkit/sac/sac_2020_01_01_00_00_00_id000--s{seed}", columns, variant=variant)
    oyster = {"env_name": "cheetah-dir", "algo_params": {}, "util_params": {"gpu_id": 0}}
    write_run("oyster/cheetah-dir/2019_05_01_00_00_00", variant=oyster)
    write_run("oyster/cheetah-dir/2019_05_01_00_00_01", variant=oyster | {"util_params": {"gpu_id": 1}})
    viskit = write_run("viskit/point-env/seed_4", {"steps": "TotalEnvSteps", "return": "AverageReturn"})
    (viskit / "params.json").write_text('{"relabeler": "mine", "exp_name": "seed_4"}')
    (viskit / "progress.csv").rename(viskit / "log.txt")
    (viskit / "log.txt").write_text((viskit / "log.txt").read_text().replace(",", "\t"))
    (viskit / "progress.csv").write_text("")
    runs = load_runs([tmp_path])
    assert sorted((run.env, run.method, run.seed) for run in runs) == [
        ("AntDirEnv", "none", 0),
        ("AntDirEnv", "none", 1),
        ("cheetah-dir", "none", 0),
        ("cheetah-dir", "none", 1),
        ("point-env", "mine", 4),
    ]
    for run in runs:
        np.testing.assert_array_equal(run.table["test return"], np.arange(12))


def test_columns_that_occur_twice_or_are_called_like_ours(write_run, tmp_path):
    folder = write_run("a", variant=settings_of(), extra={"steps": 7, "test return": 8})
    lines = (folder / "progress.csv").read_text().splitlines()
    doubled = "\n".join(f"{line},{line.split(',')[1]}" for line in lines)
    (folder / "progress.csv").write_text(doubled)
    (run,) = load_runs([tmp_path])
    np.testing.assert_array_equal(run.table["test return"], np.arange(12))


def test_headers_in_mid_file_and_half_rows_are_dropped(tmp_path):
    (tmp_path / "progress.csv").write_text("a,b\n0,1\n1,2\na,b\n2,\n3,nan\n4")
    table = read_table(tmp_path / "progress.csv")
    assert table["a"].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(table["b"], [1, 2, np.nan, np.nan])


def test_methods_that_differ_in_a_setting_are_told_apart(write_run, tmp_path):
    for seed in (0, 1):
        for value in (1.0, 10.0):
            write_run(
                f"{value}/s-{seed}",
                variant={**settings_of(seed=seed), "relabel_params": {"temperature": value}},
            )
    runs = load_runs([tmp_path])
    assert {run.method for run in runs} == {"hfr temperature=1.0", "hfr temperature=10.0"}
    assert sorted(run.seed for run in runs) == [0, 0, 1, 1]


def test_a_setting_that_is_younger_than_a_run_counts_as_its_default(write_run, tmp_path):
    for seed, algo in enumerate(({}, {"lr_end_factor": 1.0}, {"lr_end_factor": 0.5})):
        write_run(f"s-{seed}", variant={**settings_of(seed=seed), "preset": "quick", "algo_params": algo})
    methods = [run.method for run in sorted(load_runs([tmp_path]), key=lambda run: run.seed)]
    assert methods == ["hfr lr_end_factor=1.0", "hfr lr_end_factor=1.0", "hfr lr_end_factor=0.5"]


def test_unreadable_runs_are_left_out_and_named(write_run, tmp_path):
    write_run("good", variant=settings_of())
    write_run("bad", {"steps": "x", "return": "y"}, variant=settings_of())
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "progress.csv").write_text("")
    with pytest.warns(UserWarning, match=r"left out .*(bad|empty)"):
        assert len(load_runs([tmp_path])) == 1
    with pytest.raises(ValueError, match="no progress.csv below"):
        load_runs([tmp_path / "nowhere"])


def test_recorded_runs_can_be_read():
    runs = load_runs([Path(__file__).parents[3] / "results"])
    assert {"none", "hfr"} <= {run.method.split()[0] for run in runs}


def test_long_names_that_begin_alike_stay_apart(write_run, tmp_path):
    for place, last in enumerate((1, 2)):
        options = {f"a_setting_with_a_long_name_{i}": i + place for i in range(4)} | {"z_last": last}
        write_run(f"{place}", variant={**settings_of(), "relabel_params": options})
    same = {f"a_setting_with_a_long_name_{i}": i for i in range(4)} | {"z_last": 3}
    write_run("2", variant={**settings_of(), "relabel_params": same})
    methods = [run.method for run in load_runs([tmp_path])]
    assert len(set(methods)) == 3
    assert max(map(len, methods)) <= 80
