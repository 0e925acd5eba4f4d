"""A run says what it was computed on and in."""

from __future__ import annotations

import csv
import json

import pytest
import torch
from tiny_runs import assignments, options

from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.runs.carried import CarriedRun
from rlkit_hfr.experiments.settings.machine import described, pick_threads, processor, versions


@pytest.mark.parametrize(("asked", "updates", "scoring"), [
    ([], "fp32", "fp32"),
    (["--precision", "bf16"], "bf16", "bf16"),
    (["--set", "relabel_params.precision=bf16"], "fp32", "bf16"),
    (["--set", "relabel_params.precision=auto"], "fp32", "bf16"),
    (["--set", "algo_params.precision=auto"], "bf16", "fp32"),
])  # fmt: skip
def test_what_was_computed_in_is_recorded_and_said(tmp_path, capsys, monkeypatch, asked, updates, scoring):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(
        torch.cpu, "_is_avx512_bf16_supported", lambda: True
    )  # "auto" would take half precision
    settings = options(assignments(num_iterations=1, num_train_steps_per_itr=1))
    arguments = ["--env", "point-robot", "--preset", "quick", "--device", "cpu", *settings, *asked]
    assert main([*arguments, "--run-dir", str(tmp_path / "run")]) == 0
    variant = json.loads((tmp_path / "run" / "variant.json").read_text())
    name = processor(torch.device("cpu"))
    expected = {"processor": name, "device": "cpu", "threads": 1, "updates": updates, "scoring": scoring}
    assert variant["machine"] == expected
    first = capsys.readouterr().out.splitlines()[0]
    assert described(expected) in first
    assert name in first
    assert len(list(csv.DictReader((tmp_path / "run" / "progress.csv").open()))) == 1


@pytest.fixture
def three_torch_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


_SMALL = {"net_size": 128, "encoder_size": 128, "pixel_encoder": "flat"}


@pytest.mark.parametrize(("asked", "settings", "variable", "recorded", "expected"), [
    (None, {}, None, None, 1),
    (None, {"net_size": 129}, None, None, 3),  # torch's own choice
    (None, {"encoder_size": 129}, None, None, 3),
    (None, {"pixel_encoder": "conv"}, None, None, 3),
    (None, {}, "3", None, 3),  # OMP_NUM_THREADS, which torch has read
    (None, {"net_size": 300}, "3", None, 3),
    (None, {}, None, {"threads": 2}, 2),
    (None, {"net_size": 300}, "3", {"threads": 2}, 2),
    (4, {}, "3", {"threads": 2}, 4),
    (None, {}, None, {"processor": "Abacus"}, 1),
    (None, {}, None, {"threads": 0}, 1),
    (None, {}, None, [1], 1),
])  # fmt: skip
def test_small_networks_are_computed_on_one_thread(
    three_torch_threads, monkeypatch, asked, settings, variable, recorded, expected
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    variant = _SMALL | settings | ({} if recorded is None else {"machine": recorded})
    assert pick_threads(asked, variant) == expected


@pytest.mark.parametrize("asked", [0, -1, 257])
def test_threads_are_one_or_more(asked):
    with pytest.raises(ValueError, match=f"--threads must be from 1 to 256, got {asked}"):
        pick_threads(asked, _SMALL)


def test_a_run_computes_on_the_threads_that_are_asked_for_and_resumes_on_them(
    tmp_path, capsys, monkeypatch, three_torch_threads
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    counted = []
    monkeypatch.setattr(CarriedRun, "train", lambda run: counted.append(torch.get_num_threads()) or 130)
    run = ["--env", "point-robot", "--preset", "quick", *options(assignments(num_iterations=1))]
    for folder, threads, recorded in (("two", ["--threads", "2"], 2), ("one", [], 1)):
        folder = str(tmp_path / folder)
        for arguments in ([*run, "--run-dir", folder, *threads], ["--resume", folder]):
            torch.set_num_threads(3)
            assert main(arguments) == 130
            word = "thread" if recorded == 1 else "threads"
            assert f", {recorded} {word}, updates" in capsys.readouterr().out
    torch.set_num_threads(3)
    assert main(["--resume", str(tmp_path / "two"), "--threads", "4"]) == 130
    assert (
        ", 4 threads, updates" in (tmp_path / "two" / "debug.log").read_text().split("Going on, now on ")[1]
    )
    assert counted == [2, 2, 1, 1, 4]


def test_a_processor_has_a_name():
    assert processor(torch.device("cpu")).strip()
    assert {"python", "torch", "numpy", "rlkit_hfr"} <= set(versions())
