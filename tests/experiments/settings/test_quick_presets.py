"""Quick runs are short and learn."""

from __future__ import annotations

import pytest

from env_wrappers import ENVIRONMENTS
from rlkit_hfr.experiments.settings.paper_presets import SAME_TASKS
from rlkit_hfr.experiments.settings.presets import preset
from rlkit_hfr.experiments.settings.variant import build_variant


@pytest.mark.parametrize("env_name", ENVIRONMENTS)
def test_the_critic_of_a_quick_run_converges(env_name):
    """At least 4 / (tau (1 - gamma)) updates: the target is within 2 % of the fixed point that it follows."""
    settings = preset(env_name, "quick")
    updates = settings["num_iterations"] * settings["num_train_steps_per_itr"]
    assert updates >= 4.0 / (settings["soft_target_tau"] * (1.0 - settings["discount"]))
    fixed = {*SAME_TASKS, "cheetah-negated-joints", "ant-negated-joints", "ant-broken-leg"}
    assert settings["n_eval_tasks"] >= 20 or env_name in fixed


@pytest.mark.parametrize("relabeler", ["hfr", "none"])
@pytest.mark.parametrize("env_name", ["sawyer-reach", "cheetah-vel-sparse", "point-robot"])
def test_what_the_critic_learns_from_is_relabeled_and_no_context(env_name, relabeler):
    variant = build_variant(env_name, relabeler, "quick", None, [], 0)
    assert variant["relabel_params"]["relabel_into"] == "rl"
    both = build_variant(env_name, relabeler, "quick", None, ["relabel_into=both"], 0)
    assert both["relabel_params"]["relabel_into"] == "both"
