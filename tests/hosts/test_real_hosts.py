"""The same promises on unmodified public checkouts, where OYSTER_PATH, RLKIT_PATH and HFR_PATH name them."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rlkit_hfr import RELABELERS

ROOT = Path(__file__).parents[2]
CHECKOUTS = {"oyster": "OYSTER_PATH", "rlkit": "RLKIT_PATH", "hfr": "HFR_PATH"}


def _needs(host: str):
    variable = CHECKOUTS[host]
    return pytest.mark.skipif(not os.environ.get(variable), reason=f"{variable} names no checkout of {host}")


HOSTS = [pytest.param(host, marks=_needs(host)) for host in ("oyster", "rlkit")]


def _run(experiment: str, host: str, **options):
    command = [
        sys.executable,
        "tests/hosts/real_host_runner.py",
        experiment,
        host,
        os.environ[CHECKOUTS[host]],
        json.dumps(options),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


def _rows(outcome):
    return [
        {k: v for k, v in row.items() if "Time" not in k and not k.startswith("relabel/")}
        for row in csv.DictReader(outcome["lines"])
    ]


@pytest.fixture(scope="module")
def plain():
    """Rows of runs without us, once per host and environment."""
    known = {}

    def run(host, env="point-robot"):
        if (host, env) not in known:
            known[host, env] = _run("train", host, env=env)
        return known[host, env]

    return run


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "options",
    [
        dict(relabeler="hfr", fraction=0.0),
        dict(relabeler="none", fraction=1.0),
        dict(relabeler="hipi", detach=True),
    ],
)
def test_without_relabeling_the_log_is_bit_identical(host, plain, options):
    assert _rows(_run("train", host, **options)) == _rows(plain(host))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    ("env", "relabeler"),
    [
        (env, name)
        for env in ("point-robot", "sawyer-push")
        for name, cls in RELABELERS.items()
        if env == "sawyer-push" or not cls.needs_goals
    ],
)
def test_every_relabeler_trains_and_logs(host, plain, env, relabeler):
    outcome = _run("train", host, env=env, relabeler=relabeler)
    rows = list(csv.DictReader(outcome["lines"]))
    assert [float(row["Epoch"]) for row in rows] == [0.0, 1.0, 2.0]
    # all of the host's own columns are still there
    assert set(_rows(outcome)[0]) == set(_rows(plain(host, env))[0])
    key = "sampled transitions" if relabeler.endswith("-sampling") else "paths"
    assert float(rows[2][f"relabel/{key} relabeled"]) > 0
    assert np.isfinite(float(rows[2]["relabel/utility Mean"])) == (relabeler not in ("none", "random"))


@pytest.mark.parametrize("host", HOSTS)
def test_a_relabeler_that_never_stays_empties_no_buffer(host):
    rows = _rows(
        _run("train", host, relabeler="never-home", set={"num_iterations": 30, "num_steps_posterior": 0})
    )
    assert len(rows) == 30


@pytest.mark.parametrize("host", HOSTS)
def test_one_task_gets_originals_and_many_get_relabeled_data(host):
    shares = _run("contexts", host)
    assert shares["one_own_reward"] == shares["one_in_hosts_buffer"] == [1.0] * 4
    assert shares["many_own_reward"] == [1.0] * 4
    assert min(shares["many_in_hosts_buffer"]) < 0.5


@pytest.mark.parametrize("host", HOSTS)
def test_the_hosts_own_snapshots_still_work(host):
    saves = {
        "oyster": ["save_replay_buffer", "save_algorithm"],
        "rlkit": ["_save_extra_every_epoch", "save_replay_buffer"],
    }[host]
    outcome = _run("train", host, relabeler="hfr", save=saves)
    assert {"oyster": "extra_data.pkl", "rlkit": "params.pkl"}[host] in outcome["files"]


@_needs("oyster")
def test_an_update_is_oysters_own():
    outcome = _run("update", "oyster")
    for name, (ours, theirs) in outcome["losses"].items():
        assert ours == pytest.approx(theirs, rel=1e-5), name
    for name, gap in outcome["gaps"].items():
        assert gap < 1e-4, name


@_needs("hfr")
def test_the_release_of_hfr_is_refused():
    assert "relabels by itself" in _run("refuse", "hfr")["error"]


@pytest.mark.parametrize("host", HOSTS)
def test_the_launcher_runs_our_presets_on_the_host(host, tmp_path):
    from real_host_runner import TINY

    settings = [arg for item in TINY for arg in ("--set", item)]
    command = [
        sys.executable,
        "launchers/pearl_hfr.py",
        "--env",
        "sawyer-reach",
        "--host",
        host,
        "--host-path",
        os.environ[CHECKOUTS[host]],
        "--log-dir",
        str(tmp_path),
        *settings,
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    (folder,) = tmp_path.glob("*/*")
    assert len((folder / "progress.csv").read_text().splitlines()) == 4
    assert json.loads((folder / "variant.json").read_text())["host"] == host
    assert "placeholder modules" in (folder / "debug.log").read_text()


@_needs("oyster")
def test_the_wrong_checkout_is_named(capsys):
    from rlkit_hfr.experiments.commands.train import main

    assert main(["--env", "point-robot", "--host", "rlkit", "--host-path", os.environ["OYSTER_PATH"]]) == 2
    assert "is a checkout of oyster; use --host oyster" in capsys.readouterr().err
