"""Settings on other hosts: what is translated, what is refused."""

from __future__ import annotations

import dataclasses

import pytest

from rlkit_hfr.experiments.runs import foreign
from rlkit_hfr.experiments.runs.foreign import ignored_settings
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.pearl.config import PEARLConfig


def test_images_are_refused_on_hosts_that_do_not_scale_them(refusal):
    assert "do not take images" in refusal("--host", "oyster", "--env", "visual-reacher")


def test_a_weight_of_the_entropy_becomes_a_scale_of_the_rewards_on_a_host():
    """Q = s r - w log pi and Q / w = (s / w) r - log pi have one optimum; the KL is
    weighed against Q squared.
    """
    settings = dict(entropy_weight=0.01, reward_scale=2.0, kl_lambda=1e-4)
    assert foreign._with_entropy_weight_one(settings) == pytest.approx(
        dict(reward_scale=200.0, kl_lambda=1.0)
    )
    settings = dict(entropy_weight=1.0, reward_scale=5.0, kl_lambda=0.1)
    assert foreign._with_entropy_weight_one(settings) == dict(reward_scale=5.0, kl_lambda=0.1)
    with pytest.raises(ValueError, match="entropy_weight must be positive"):
        foreign._with_entropy_weight_one({**settings, "entropy_weight": 0.0})


def test_settings_of_the_built_in_pearl_that_hosts_lack_are_known():
    """What oyster's constructor takes is written down: a new setting of ours must be
    translated or left out.
    """
    oysters = {
        "meta_batch",
        "num_iterations",
        "num_train_steps_per_itr",
        "num_initial_steps",
        "num_tasks_sample",
        "num_steps_prior",
        "num_steps_posterior",
        "num_extra_rl_steps_posterior",
        "num_evals",
        "num_steps_per_eval",
        "batch_size",
        "max_path_length",
        "embedding_batch_size",
        "discount",
        "replay_buffer_size",
        "reward_scale",
        "num_exp_traj_eval",
        "eval_deterministic",
        "policy_lr",
        "qf_lr",
        "vf_lr",
        "context_lr",
        "kl_lambda",
        "policy_mean_reg_weight",
        "policy_std_reg_weight",
        "use_information_bottleneck",
        "use_next_obs_in_context",
        "sparse_rewards",
        "soft_target_tau",
    }
    ours = {field.name for field in dataclasses.fields(PEARLConfig)}
    assert ours - foreign._OURS_ALONE == oysters


def test_settings_that_a_host_does_not_have_are_named():
    defaults = build_variant("point-robot", "hfr", None, None, [], 0)["algo_params"]
    assert ignored_settings(defaults) == []
    changed = {**defaults, "lr_end_factor": 0.5, "eval_sampled": True, "num_envs": 3, "batch_size": 7}
    assert ignored_settings(changed) == ["eval_sampled", "lr_end_factor"]
