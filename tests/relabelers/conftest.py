"""A PEARL whose relabeler can be asked by hand."""

from __future__ import annotations

import pytest
import torch

from rlkit_hfr import attach
from rlkit_hfr.scoring.scorer import Scorer


@pytest.fixture
def world(make_algorithm, monkeypatch):
    """A PEARL with random weights and data for every task, whose scorer draws no noise: z
    and actions are the means.
    """
    monkeypatch.setattr(Scorer, "noise", lambda self, *shape: torch.zeros(shape))

    def build(relabeler, env_name="four-corners", **options):
        algorithm = make_algorithm(
            env_name,
            num_train_steps_per_itr=1,
            sparse_rewards=env_name.startswith("sparse"),
            reward_scale=2.0,
        )
        relabeling = attach(algorithm, relabeler, seed=0, relabel_fraction=0.0, precision="fp32", **options)
        torch.manual_seed(1)
        for net in algorithm.networks:
            for weight in net.parameters():
                weight.data = torch.randn_like(weight) * 0.4
        for task in algorithm.train_tasks:
            algorithm.collect_data([task], 40)
        scorer = relabeling.scorer
        algorithm.agent.clear_z(num_tasks=4)
        paths = algorithm.sampler.obtain_paths(algorithm.train_tasks[:4])
        return algorithm, relabeling.relabeler, scorer, paths

    return build
