"""Networks at their beginning, and the density of the policy's actions."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Independent, Normal, TanhTransform, TransformedDistribution

from rlkit_hfr.pearl.perceptrons import LOG_STD_MAX, LOG_STD_MIN, FlattenMlp, Mlp, TanhGaussianPolicy


def test_weights_begin_within_their_bounds_and_outputs_near_zero():
    net = Mlp([64, 64], 16, 3)
    for fc, fan_in in zip(net.fcs, (16, 64), strict=True):
        bound = fan_in**-0.5
        assert 0.9 * bound < fc.weight.abs().max() <= bound
        assert (fc.bias == 0.1).all()
    assert 0.9 * 3e-3 < net.last_fc.weight.abs().max() <= 3e-3
    assert net(torch.rand(100, 16)).abs().max() < 0.2


def test_what_a_critic_is_given_is_joined():
    net, parts = FlattenMlp([8], 6, 1), torch.randn(5, 6)
    torch.testing.assert_close(net(parts[:, :3], parts[:, 3:5], parts[:, 5:]), Mlp.forward(net, parts))


def test_the_policys_log_probability_is_that_of_a_squashed_normal():
    torch.manual_seed(0)
    policy = TanhGaussianPolicy([8], 3, 2, init_w=0.5)
    out = policy(torch.randn(50, 3), return_log_prob=True)
    normal = Independent(Normal(out.mean, out.std), 1)
    expected = TransformedDistribution(normal, TanhTransform(cache_size=1)).log_prob(out.action)
    torch.testing.assert_close(out.log_pi[:, 0], expected, atol=1e-3, rtol=1e-4)
    assert policy(torch.randn(1, 3)).log_pi is None


def test_actions_are_drawn_around_the_mean_unless_they_are_to_be_the_mean():
    torch.manual_seed(0)
    policy = TanhGaussianPolicy([8], 3, 1, init_w=0.5)
    obs = torch.randn(1, 3).expand(4000, 3)
    out = policy(obs, deterministic=True)
    torch.testing.assert_close(out.action, torch.tanh(out.mean))
    drawn = policy(obs).pre_tanh
    assert drawn.mean().item() == pytest.approx(out.mean[0].item(), abs=0.1)
    assert drawn.std().item() == pytest.approx(out.std[0].item(), rel=0.05)


def test_gradients_reach_an_action_where_it_is_reparameterized():
    policy = TanhGaussianPolicy([8], 3, 1)
    assert policy(torch.randn(2, 3)).action.requires_grad
    assert not policy(torch.randn(2, 3), reparameterize=False).action.requires_grad


@pytest.mark.parametrize(("bias", "expected"), [(-99.0, LOG_STD_MIN), (99.0, LOG_STD_MAX)])
def test_the_spread_has_bounds(bias, expected):
    policy = TanhGaussianPolicy([8], 3, 1)
    policy.last_fc_log_std.bias.data.fill_(bias)
    assert (policy(torch.randn(4, 3)).log_std == expected).all()
