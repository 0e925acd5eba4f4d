"""Presets are what they were recorded to be, value for value: a number that moves changes
everybody's runs.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from env_wrappers import ENVIRONMENTS
from rlkit_hfr.experiments.settings.presets import PAPER, PRESETS, SAME_TASKS, Preset, preset

RECORDED = json.loads((Path(__file__).parent / "presets.json").read_text())


def test_every_environment_has_its_presets():
    assert set(RECORDED) == set(ENVIRONMENTS)
    assert all(set(records) == set(RECORDED) for records in PRESETS.values())


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("env_name", RECORDED)
def test_presets_hold_the_recorded_values(env_name, name):
    found = json.dumps(preset(env_name, name), sort_keys=True)  # as text, in which 1 and 1.0 and true differ
    assert found == json.dumps(RECORDED[env_name][name], sort_keys=True)


def test_a_preset_is_a_keyword_record_that_nobody_edits():
    with pytest.raises(TypeError):
        Preset(80)
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAPER["point-robot"].meta_batch = 3
    settings = preset("point-robot", "paper")
    settings["meta_batch"] = 3
    assert preset("point-robot", "paper")["meta_batch"] == 16


def test_paper_presets_hold_the_papers_values():
    push = preset("sawyer-push", "paper")
    assert (
        push["n_train_tasks"],
        push["num_iterations"],
        push["reward_scale"],
        push["max_path_length"],
        push["num_initial_states"],
    ) == (
        50,
        90,
        100.0,
        150,
        256,
    )
    corners = preset("four-corners", "paper")
    assert (
        corners["discount"],
        corners["embedding_batch_size"],
        corners["num_exp_traj_eval"],
        corners["kl_lambda"],
    ) == (0.9, 1024, 5, 1.0)
    assert preset("cheetah-vel", "paper")["num_extra_rl_steps_posterior"] == 600
    assert preset("sparse-point-robot", "paper")["sparse_rewards"] is True


@pytest.mark.parametrize("env_name", RECORDED)
def test_the_critic_of_a_quick_run_converges(env_name):
    """At least 4 / (tau (1 - gamma)) updates: the target is within 2 % of the fixed point that it follows."""
    settings = preset(env_name, "quick")
    updates = settings["num_iterations"] * settings["num_train_steps_per_itr"]
    assert updates >= 4.0 / (settings["soft_target_tau"] * (1.0 - settings["discount"]))
    fixed = {*SAME_TASKS, "cheetah-negated-joints", "ant-negated-joints", "ant-broken-leg"}
    assert settings["n_eval_tasks"] >= 20 or env_name in fixed
