"""The belief of an agent about several tasks at once, and how it acts on it."""

from __future__ import annotations

import numpy as np
import pytest
import torch


def test_kl_equals_torch_distributions(make_algorithm):
    agent = make_algorithm().agent
    agent.z_means, agent.z_vars = torch.randn(4, 3), torch.rand(4, 3) + 0.1
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(agent.z_means, agent.z_vars.sqrt()), normal(torch.zeros(4, 3), torch.ones(4, 3))
    ).sum()
    torch.testing.assert_close(agent.compute_kl_div(), expected)


def test_the_belief_without_data_is_the_prior(make_algorithm):
    for bottleneck, variance in ((True, 1.0), (False, 0.0)):
        agent = make_algorithm(use_information_bottleneck=bottleneck).agent
        agent.z_means, agent.context = torch.ones(1, 3), torch.ones(1)
        agent.clear_z(num_tasks=4)
        assert agent.z.shape == (4, 3)
        assert (agent.z_means == 0.0).all() and (agent.z_vars == variance).all()
        assert bool((agent.z == 0.0).all()) != bottleneck
        assert agent.context is None


def test_a_sample_has_the_mean_and_the_spread_of_the_belief(make_algorithm):
    agent = make_algorithm().agent
    agent.z_means, agent.z_vars = torch.tensor([[5.0]]).expand(9000, 1), torch.full((9000, 1), 0.25)
    agent.sample_z()
    assert agent.z.mean().item() == pytest.approx(5.0, abs=0.03)
    assert agent.z.std().item() == pytest.approx(0.5, abs=0.02)


def test_rows_that_are_padding_do_not_reach_the_posterior(make_algorithm):
    agent = make_algorithm().agent
    context = torch.randn(2, 6, agent.context_encoder.input_size)
    agent.infer_posterior(context[:, :4])
    means, variances = agent.z_means, agent.z_vars
    agent.infer_posterior(context, torch.arange(6).expand(2, 6) < 4)
    torch.testing.assert_close((agent.z_means, agent.z_vars), (means, variances))
    agent.infer_posterior(context)
    assert (agent.z_vars < variances).all()  # more rows, more certain


def test_each_task_acts_on_its_own_z(make_algorithm):
    agent = make_algorithm().agent
    for weight in agent.policy.parameters():
        weight.data = 0.3 * torch.randn_like(weight)
    agent.z = torch.randn(3, 3)
    obs = np.random.default_rng(0).normal(size=(3, 2))
    together = agent.get_actions(obs, deterministic=True)
    zs = agent.z
    for i in range(3):
        agent.z = zs[i : i + 1]
        action, info = agent.get_action(obs[i], deterministic=True)
        np.testing.assert_allclose(action, together[i], atol=1e-6)
        assert info == {}
    assert np.abs(together[0] - together[1]).max() > 1e-3


def test_the_policys_gradient_does_not_reach_the_encoder(make_algorithm):
    agent = make_algorithm().agent
    out, task_z = agent(torch.randn(2, 5, 2), torch.randn(2, 4, agent.context_encoder.input_size))
    torch.testing.assert_close(task_z, agent.z.repeat_interleave(5, dim=0))
    out.log_pi.sum().backward()
    assert all(weight.grad is None for weight in agent.context_encoder.parameters())
    task_z.sum().backward()
    assert all(weight.grad is not None for weight in agent.context_encoder.parameters())
