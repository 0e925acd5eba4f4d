"""How networks are called: orders of inputs, and what policies and agents return."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from closeness import assert_close
from torch import nn

from rlkit_hfr.hosts.conventions import (
    normal_parameters,
    own_posterior,
    policy_call,
    sampled_action,
    value_calls,
)

PARTS = ("obs", "action", "z")
ROWS = torch.full((2, 1), 1.0), torch.full((2, 1), 10.0), torch.full((2, 1), 100.0)


class Named(nn.Module):
    """Takes the latent first, and says so by the names of its parameters."""

    def forward(self, task_z, state, act):
        return (1 * state + 2 * act + 3 * task_z).squeeze(1)


class Joined(nn.Module):
    def forward(self, x):
        return x @ torch.tensor([1.0, 2.0, 3.0])


class AnyOrder(nn.Module):
    """The first input counts once, the second twice, whatever they are."""

    def forward(self, *inputs):
        return sum((k + 1) * part for k, part in enumerate(inputs))


class Deaf(nn.Module):
    def forward(self):
        return torch.zeros(2, 1)


@pytest.mark.parametrize("net", [Named(), Joined(), AnyOrder()])
def test_values_are_found_by_names_or_by_trial(net):
    (call,) = value_calls([lambda: net], PARTS, ROWS)
    assert call(*ROWS).tolist() == [[321.0], [321.0]]


def test_a_further_check_settles_an_order_that_any_would_do():
    def says_so(calls):
        return bool((calls[0](*ROWS) == 100.0 + 2 * 1.0 + 3 * 10.0).all())

    (call,) = value_calls([lambda: AnyOrder()], PARTS, ROWS, says_so)
    assert call(*ROWS).tolist() == [[132.0], [132.0]]


def test_nothing_is_found_where_no_way_works():
    assert value_calls([lambda: Deaf()], PARTS, ROWS) is None
    assert policy_call(lambda: Deaf(), *ROWS[:2]) is None


def test_a_network_that_is_swapped_is_the_one_that_is_called():
    nets = [nn.Linear(3, 1)]
    (call,) = value_calls([lambda: nets[0]], PARTS, ROWS)
    nets[0] = nn.Linear(3, 1)
    assert_close(call(*ROWS), nets[0](torch.cat(ROWS, dim=1)))


def test_a_policy_is_called_without_noise_where_it_can_be():
    class Policy(nn.Module):
        def forward(self, x, deterministic=False):
            return x, deterministic

    joined, quiet = policy_call(lambda: Policy(), *ROWS[:2])(*ROWS[:2])
    assert joined.tolist() == [[1.0, 10.0]] * 2
    assert quiet is True


def test_a_normal_is_told_from_what_a_policy_returns():
    mean, log_std = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.0, -2.0]])
    normal = torch.distributions.Normal(mean, log_std.exp())
    transformed = torch.distributions.TransformedDistribution(
        torch.distributions.Independent(normal, 1), [torch.distributions.TanhTransform()]
    )
    rlkits = SimpleNamespace(normal_mean=mean, normal_std=log_std.exp())
    for out in (rlkits, transformed, (mean.tanh(), mean, log_std, None)):
        found = normal_parameters(out)
        assert_close(found[0], mean)
        assert_close(found[1], log_std.exp())
    # the action is another than the tanh of the mean; a normal that no tanh bounds
    assert normal_parameters((mean, mean, log_std)) is None
    assert normal_parameters(normal) is None


def test_an_action_is_a_sample_or_the_first_of_what_is_returned():
    action = torch.ones(2, 1)
    for out in (action, (action, "more"), SimpleNamespace(sample=lambda: action)):
        assert sampled_action(out) is action
    for out in ((), "none"):
        assert sampled_action(out) is None


class Agent:
    """Believes a mean and a variance."""

    def infer_posterior(self, context):
        self.z_means = context.mean(dim=1)
        self.z_vars = context.var(dim=1)


def test_an_agents_own_posterior():
    context = torch.tensor([[[0.0], [2.0]], [[1.0], [5.0]]])
    pure = SimpleNamespace(latent_posterior=lambda c: torch.distributions.Normal(c.mean(dim=1), c.std(dim=1)))
    for agent, bottleneck, variance in (
        (Agent(), True, [[2.0], [8.0]]),
        (Agent(), False, [[0.0], [0.0]]),
        (pure, True, [[2.0], [8.0]]),
    ):
        own = own_posterior(agent, context, bottleneck)
        assert own.mean.tolist() == [[1.0], [3.0]]
        assert_close(own.variance, torch.tensor(variance))
        assert not own.sampled
    assert own_posterior(object(), context, True) is None


def test_where_z_has_another_shape_than_the_means_it_is_a_sample():
    class Several(Agent):
        def infer_posterior(self, context):
            super().infer_posterior(context)
            self.z = torch.cat([self.z_means, -self.z_means], dim=1)

    own = own_posterior(Several(), torch.tensor([[[0.0], [2.0]]]), True)
    assert own.sampled
    assert own.mean.tolist() == [[1.0, -1.0]]
    assert not own.variance.any()
