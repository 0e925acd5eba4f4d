"""The networks that score compute what the host computes."""

from __future__ import annotations

import numpy as np
import pytest
import standins
import torch
from closeness import assert_close

from rlkit_hfr import attach

EVERY = sorted(standins.EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_scoring_networks_compute_what_the_host_computes(name):
    algorithm = standins.EVERY[name]()
    networks = attach(algorithm, "hfr", precision="fp32").scorer.networks
    obs, action, z = torch.randn(4, 2), torch.rand(4, 2), torch.randn(4, 3)
    with networks.isolated():
        for i, ours in enumerate(networks.critics(obs, action, z)):
            assert_close(ours, algorithm.q(i, obs, action, z))
        context = torch.randn(3, 6, 5)
        assert networks.in_order == (name == "Recurrent")
        assert networks.samples_alone == (name in ("SeveralEncoders", "DirichletBelief"))
        if networks.samples_alone:
            return
        means, variances = networks.posterior(context, torch.ones(3, 6, dtype=torch.bool))
        algorithm.agent.infer_posterior(context)
        if name != "RlkitLike":
            assert_close(means, algorithm.agent.z_means)
        if name not in ("RlkitLike", "Deterministic"):
            assert_close(variances, algorithm.agent.z_vars)
        masked, _ = networks.posterior(
            context, torch.tensor([[True] * 6, [True] * 4 + [False] * 2, [True] * 6])
        )
        shorter, _ = networks.posterior(context[1:2, :4], torch.ones(1, 4, dtype=torch.bool))
        assert_close(masked[1], shorter[0])


def test_a_belief_that_is_no_gaussian_is_served_by_samples_of_its_z():
    algorithm = standins.SeveralEncoders()
    networks = attach(algorithm, "hfr").scorer.networks
    context, everything = torch.randn(1, 6, 5), torch.ones(4000, 6, dtype=torch.bool)
    with networks.isolated():
        z, variances = networks.posterior(context.expand(4000, -1, -1), everything)
        again, _ = networks.posterior(context.expand(4000, -1, -1), everything)
        algorithm.agent.infer_posterior(context)
        shares = algorithm.agent.logits.softmax(dim=-1)[0]
        number = algorithm.agent.number.item()
    assert set(z[:, :2].sum(dim=1).tolist()) == {1.0}  # one category each
    np.testing.assert_allclose(z[:, :2].mean(dim=0).numpy(), shares.detach().numpy(), atol=0.04, rtol=0.0)
    assert z[:, 2].mean().item() == pytest.approx(number, abs=0.08)
    assert not variances.any()
    assert not torch.equal(z, again)


def test_several_latents_are_several_samples_where_there_is_no_gaussian():
    """With a critic that pays z's category, one sample gives 0 or 1, and the mean of many its share."""
    algorithm = standins.SeveralEncoders()
    for qf in (algorithm.qf1, algorithm.qf2):
        qf.forward = lambda obs, action, z: z[:, :1]
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    utilities = []
    for number in (1, 64):
        relabeling = attach(algorithm, "hfr", latent="sample", num_latents=number, seed=0, normaliser="off")
        for task in algorithm.task_ids:
            algorithm.add(task, [algorithm.rollout(task)], True)
        scorer = relabeling.scorer
        with scorer.networks.isolated():
            utilities.append(relabeling.relabeler.utilities([algorithm.rollout(0)], scorer))
            several = scorer.task_latents(8)
        assert len({tuple(z.flatten().tolist()) for z in several}) > 1
        relabeling.detach()
    assert set(utilities[0].flatten().tolist()) <= {0.0, 1.0}
    assert ((utilities[1] > 0.05) & (utilities[1] < 0.95)).any()


def test_a_recurrent_encoder_reads_whole_trajectories_in_the_order_of_their_steps():
    algorithm = standins.Recurrent()
    relabeling = attach(algorithm, "hfr", normaliser="contexts", seed=0)
    algorithm.train()
    scorer, read = relabeling.scorer, []
    stored = {
        np.ascontiguousarray(rows).tobytes(): len(rows)
        for task in algorithm.task_ids
        for rows in (*scorer.memory.all_trajectories(task), *scorer.memory._visits[task].rows)
    }
    infer = algorithm.agent.infer_posterior

    def reading(context):
        read.extend(context.numpy().copy())
        infer(context)

    algorithm.agent.infer_posterior = reading
    with scorer.networks.isolated():
        scorer.task_latents()
        scorer.sampled_posteriors("contexts", 5)
    assert len(read) == 4 + 4 * 5
    for context in read:  # of 6 steps each, and a batch has room for one
        assert np.ascontiguousarray(context).tobytes() in stored
