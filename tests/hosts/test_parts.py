"""Where a host keeps what scoring needs."""

from __future__ import annotations

import copy

import pytest
import standin_families
import standins
import torch
from closeness import assert_close

from rlkit_hfr import attach
from rlkit_hfr.hosts.parts import HostParts


def test_units_are_those_that_train():
    """rlkit's algorithm has a reward scale of 1 while its trainer uses another."""
    algorithm = standin_families.RlkitLike()
    assert attach(algorithm, "hfr").scorer.networks.reward_scale == 3.0


def test_networks_that_are_swapped_after_attach_are_the_ones_that_score():
    algorithm = standin_families.OysterLike()
    networks = attach(algorithm, "hfr", precision="fp32").scorer.networks
    obs, action, z = torch.randn(4, 2), torch.randn(4, 2), torch.randn(4, 3)
    algorithm.qf1 = standin_families.Critic()
    assert_close(networks.critics(obs, action, z)[0], algorithm.qf1(obs, action, z))


def test_sizes_encoders_and_settings_are_where_hosts_keep_them():
    parts = HostParts(standins.OysterLike(), standins.OysterLike())
    assert (parts.obs_dim, parts.action_dim, parts.latent_dim) == (2, 2, 3)
    assert parts.encoders() == [parts.agent.context_encoder]
    several = standins.SeveralEncoders()
    parts = HostParts(several, several)
    assert parts.context_encoder is None
    assert parts.encoders() == [several.agent.behaviour_encoder, several.agent.reward_encoder]
    del several.agent.latent_dim
    assert HostParts(several, several).latent_dim == 3  # as wide as z
    del several.agent.z
    with pytest.raises(ValueError, match="agent has no latent_dim and no z"):
        HostParts(several, several)


def test_an_agent_that_is_replaced_after_attach_is_the_one_that_scores():
    algorithm = standin_families.OysterLike()
    networks = attach(algorithm, "hfr", precision="fp32").scorer.networks
    algorithm.agent = copy.deepcopy(algorithm.agent)
    with torch.no_grad():
        for weights in algorithm.agent.parameters():
            weights.mul_(2.0)
    context = torch.randn(1, 4, networks.layout.width)
    algorithm.agent.infer_posterior(context)
    expected = algorithm.agent.z_means.clone()
    with networks.isolated():
        assert_close(networks.posterior(context, torch.ones(1, 4, dtype=torch.bool))[0], expected)
