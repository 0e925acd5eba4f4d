"""A preset is a record that nobody edits, and the papers' ones hold the papers' values."""

from __future__ import annotations

import dataclasses

import pytest

from rlkit_hfr.experiments.settings.paper_presets import PAPER, Preset
from rlkit_hfr.experiments.settings.presets import preset


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
