"""Settings of MIER: the paper's by default, and refused where they can not work."""

from __future__ import annotations

import pytest

from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.mier.config import ExtrapolationConfig


def test_settings_are_the_papers_and_presets_leave_out_pearls():
    paper = build_variant("cheetah-vel", "none", None, None, ["algorithm=mier"], 0)
    algo = paper["algo_params"]
    assert (algo["adapt_steps"], algo["adapt_lr"], algo["context_regression_weight"]) == (2, 0.1, 0.01)
    assert (algo["embedding_batch_size"], algo["num_train_steps_per_itr"], algo["qf_lr"]) == (256, 1000, 3e-4)
    assert (paper["net_size"], paper["encoder_size"], paper["latent_size"]) == (256, 200, 5)
    assert algo["num_tasks_sample"] == 5
    assert algo["num_steps_prior"] + algo["num_extra_rl_steps_posterior"] == 1000
    assert not {"kl_lambda", "vf_lr", "context_lr", "entropy_weight"} & set(algo)
    pearl = build_variant("cheetah-vel", "none", None, None, [], 0)
    assert pearl["algorithm"] == "pearl"
    assert not {"adapt_lr", "model_lr"} & set(pearl["algo_params"])


@pytest.mark.parametrize("bad", [dict(real_share=2.0), dict(trajectories=0), dict(relabel=1)])
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        ExtrapolationConfig(**bad)
