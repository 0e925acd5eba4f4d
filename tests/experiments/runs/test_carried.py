"""What a run of the built-in PEARL writes before it trains."""

from __future__ import annotations

import json

import pytest
import torch

from rlkit_hfr.experiments.runs.carried import CarriedRun
from rlkit_hfr.experiments.runs.checkpoint import NAME
from rlkit_hfr.experiments.settings.variant import build_variant

TINY = ["n_train_tasks=2", "n_eval_tasks=1", "net_size=8", "num_iterations=1", "num_train_steps_per_itr=10"]


def _variant(relabeler, settings=()):
    variant = build_variant("point-robot", relabeler, "quick", None, [*TINY, *settings], 0)
    return {**variant, "snapshots": {"snapshot_mode": "none", "snapshot_gap": 1}}


def _started(folder, settings):
    variant = _variant("hfr", settings)
    folder.mkdir()
    CarriedRun(variant, torch.device("cpu")).start(folder)
    return (folder / "debug.log").read_text()


def test_it_says_how_far_the_critic_will_come(tmp_path):
    """10 updates by tau (1 - gamma) leave (1 - tau (1 - gamma))^10 of the way."""
    fast = _started(tmp_path / "fast", ["soft_target_tau=0.5", "discount=0.1"])
    assert "Critic: 100% of the way to its fixed point after 10 updates\n" in fast
    slow = _started(tmp_path / "slow", ["soft_target_tau=0.1", "discount=0.5"])
    assert "Critic: 40% of the way" in slow
    assert "raise soft_target_tau or the updates" in slow


def test_what_scored_and_on_what_is_on_record(tmp_path):
    log = _started(tmp_path / "run", [])
    machine = json.loads((tmp_path / "run" / "variant.json").read_text())["machine"]
    assert machine["scoring"] == "fp32"
    assert "Relabeling by hfr, scored in fp32" in log
    assert machine["processor"] in log


@pytest.mark.parametrize("before", ["", "header\n"])
def test_a_run_that_was_stopped_before_its_checkpoint_begins_anew(tmp_path, before):
    variant = _variant("none")
    (tmp_path / "progress.csv").write_text(before)
    run = CarriedRun(variant, torch.device("cpu"))
    run.resume(tmp_path, None)
    assert (tmp_path / NAME).exists()
    assert not (tmp_path / "progress.csv").exists()
