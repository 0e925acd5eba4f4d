"""A run says what it was computed on and in."""

from __future__ import annotations

import csv
import json

import pytest
import torch
from tiny_runs import assignments, options

from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.settings.machine import described, processor, versions


@pytest.mark.parametrize(("asked", "updates", "scoring"), [
    ([], "fp32", "fp32"),
    (["--precision", "bf16"], "bf16", "bf16"),
    (["--set", "relabel_params.precision=bf16"], "fp32", "bf16"),
    (["--set", "relabel_params.precision=auto"], "fp32", "bf16"),
    (["--set", "algo_params.precision=auto"], "bf16", "fp32"),
])  # fmt: skip
def test_what_was_computed_in_is_recorded_and_said(tmp_path, capsys, monkeypatch, asked, updates, scoring):
    monkeypatch.setattr(
        torch.cpu, "_is_avx512_bf16_supported", lambda: True
    )  # "auto" would take half precision
    settings = options(assignments(num_iterations=1, num_train_steps_per_itr=1))
    arguments = ["--env", "point-robot", "--preset", "quick", "--device", "cpu", *settings, *asked]
    assert main([*arguments, "--run-dir", str(tmp_path / "run")]) == 0
    variant = json.loads((tmp_path / "run" / "variant.json").read_text())
    name = processor(torch.device("cpu"))
    expected = {"processor": name, "device": "cpu", "updates": updates, "scoring": scoring}
    assert variant["machine"] == expected
    first = capsys.readouterr().out.splitlines()[0]
    assert described(expected) in first
    assert name in first
    assert len(list(csv.DictReader((tmp_path / "run" / "progress.csv").open()))) == 1


def test_a_processor_has_a_name():
    assert processor(torch.device("cpu")).strip()
    assert {"python", "torch", "numpy", "rlkit_hfr"} <= set(versions())
