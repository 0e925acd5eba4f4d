"""The runs of a comparison: how each is started, and what its folder may hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from grids import jobs_of

from rlkit_hfr.experiments.sweeps import jobs


def test_a_run_is_told_its_device_host_and_writers(tmp_path):
    launch = dict(device="cuda", host="oyster", host_path=Path("/o"), log=("csv", "jsonl"))
    (job,) = jobs_of(tmp_path, **launch)
    text = " ".join(job.command())
    assert "--host oyster --host-path /o --log csv jsonl --device cuda --run-dir" in text
    job.folder.mkdir(parents=True)
    (job.folder / "variant.json").write_text("{}")
    assert job.command()[-3:] == [str(job.folder), "--device", "cuda"]  # and goes on there


def test_a_stopped_run_of_a_host_is_not_touched(tmp_path, monkeypatch):
    (job,) = jobs_of(tmp_path, host="oyster")
    job.folder.mkdir(parents=True)
    variant = {**job.variant(), "host": "oyster"}
    (job.folder / "variant.json").write_text(json.dumps(variant))
    with pytest.raises(ValueError, match="a run of oyster that was stopped, which can't go on; remove"):
        job.check()
    (carried,) = jobs_of(tmp_path)
    with pytest.raises(ValueError, match="run of oyster"):
        carried.check()
    number = variant["algo_params"]["num_iterations"]
    rows = "".join(f"{i}\r\n" for i in range(number))
    (job.folder / "progress.csv").write_text("Epoch\r\n" + rows)
    job.check()
    assert jobs.finished(job)


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("split=[-1,0,0.3,1]", ["split=[-1,0,0.3,1]"]),
        ("split=[[0,1],[2]],none", ["split=[[0,1],[2]]", "split=none"]),
        ('options={"a":1,"b":[2,3]}', ['options={"a":1,"b":[2,3]}']),
        ("relabel_into=rl,both", ["relabel_into=rl", "relabel_into=both"]),
        ("temperature=3", ["temperature=3"]),
    ],
)
def test_the_values_of_an_axis_may_be_lists(assignment, expected):
    assert jobs._values(assignment) == expected
