"""V(s, z) of hosts without a value network."""

from __future__ import annotations

import pytest
import standins
import torch

from rlkit_hfr import attach
from rlkit_hfr.hosts.parts import HostParts
from rlkit_hfr.hosts.soft_value import _entropy_weight, find_value


def test_soft_value_without_a_value_network():
    """min target Q - alpha log pi, on average over many samples, against torch's distributions."""
    algorithm = standins.NoValueFunction()
    networks = attach(algorithm, "hfr-bellman").scorer.networks
    obs, z = torch.randn(1, 2).expand(200_000, 2), torch.randn(1, 3).expand(200_000, 3)
    with networks.isolated():
        ours = networks.value(obs, z, torch.randn).mean()
        _, mean, log_std, _ = algorithm.agent.policy(torch.cat([obs[:1], z[:1]], dim=1), deterministic=True)
        normal = torch.distributions.Independent(torch.distributions.Normal(mean[0], log_std[0].exp()), 1)
        policy = torch.distributions.TransformedDistribution(
            normal, [torch.distributions.TanhTransform(cache_size=1)]
        )
        action = policy.sample((200_000,))
        q = torch.min(algorithm.target_qf1(obs, action, z), algorithm.target_qf2(obs, action, z))
        expected = (q.squeeze(1) - 0.2 * policy.log_prob(action)).mean()
    assert ours.item() == pytest.approx(expected.item(), abs=0.01)


def test_the_weight_of_entropy_is_where_hosts_keep_it():
    algorithm = standins.OysterLike()
    parts = HostParts(algorithm, algorithm)
    assert _entropy_weight(parts) == 1.0
    algorithm.alpha = 0.5
    assert _entropy_weight(parts) == 0.5
    algorithm.log_alpha = torch.zeros(1)
    assert _entropy_weight(parts).item() == 1.0


def test_there_is_no_value_without_targets_or_a_known_policy():
    algorithm = standins.NoValueFunction()
    parts = HostParts(algorithm, algorithm)
    rows = torch.randn(4, 2), torch.randn(4, 2), torch.randn(4, 3)

    def policy(obs, z):
        return algorithm.agent.policy(torch.cat([obs, z], dim=1), deterministic=True)

    assert find_value(parts, policy, rows) is not None
    assert find_value(parts, None, rows) is None
    del algorithm.target_qf2
    assert find_value(parts, policy, rows) is None
