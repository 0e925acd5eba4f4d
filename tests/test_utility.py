"""Utilities against constant critics, hand-made worlds and slow loops."""

import numpy as np
import pytest
import torch

from rlkit_hfr.utility import (
    TransitionBatch,
    grid_chunks,
    negative_bellman_error,
    post_adaptation_value,
    soft_q,
)


def _column(x):
    return x.sum(dim=-1, keepdim=True)


def _policy(obs, z):
    return torch.tanh(obs[..., :2] + z[..., :1])


def _critics(obs, action, z):
    return (
        _column(torch.sin(obs)) + _column(action * z[..., :2]),
        _column(torch.cos(obs)) - _column(action) + z[..., 1:2],
    )


def _value(obs, z):
    return _column(obs * z[..., :2])


@pytest.mark.parametrize("max_rows", [1, 7, 10_000])
def test_post_adaptation_value_equals_a_loop(max_rows):
    torch.manual_seed(0)
    z, initial = torch.randn(3, 4, 2), torch.randn(4, 5, 2)
    expected = np.zeros((3, 4))
    for n in range(3):
        for k in range(4):
            total = 0.0
            for u in range(5):
                s, latent = initial[k, u][None], z[n, k][None]
                q1, q2 = _critics(s, _policy(s, latent), latent)
                total += min(q1.item(), q2.item())
            expected[n, k] = total / 5
    np.testing.assert_allclose(
        post_adaptation_value(z, initial, _policy, _critics, max_rows), expected, rtol=1e-5, atol=1e-5
    )


def test_post_adaptation_value_takes_the_smaller_critic_and_the_mean():
    def constants(obs, action, z):
        return torch.full_like(obs[..., :1], 3.0), obs[..., :1]

    initial = torch.tensor([[[1.0, 0.0], [9.0, 0.0]]])  # min(3, 1) and min(3, 9): mean 2
    assert post_adaptation_value(torch.zeros(1, 1, 2), initial, _policy, constants).item() == pytest.approx(
        2.0
    )


@pytest.mark.parametrize("max_rows", [1, 9, 10_000])
def test_negative_bellman_error_equals_a_loop(max_rows):
    torch.manual_seed(1)
    n, k, b = 2, 3, 4
    z = torch.randn(n, k, 2)
    batch = TransitionBatch(
        torch.randn(k, b, 2),
        torch.randn(k, b, 2),
        torch.randn(k, b, 1),
        torch.randn(k, b, 2),
        torch.rand(k, b, 1).round(),
    )
    expected = np.zeros((n, k))
    for i in range(n):
        for j in range(k):
            for t in range(b):
                obs, action, reward, next_obs, terminal = (x[j, t][None] for x in batch)
                latent = z[i, j][None]
                target = 5.0 * reward + (1 - terminal) * 0.9 * _value(next_obs, latent)
                q1, q2 = _critics(obs, action, latent)
                expected[i, j] -= ((q1 - target) ** 2 + (q2 - target) ** 2).item() / 2 / b
    actual = negative_bellman_error(
        z, batch, _critics, _value, reward_scale=5.0, discount=0.9, max_rows=max_rows
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_bellman_error_is_zero_for_a_perfect_critic_and_ignores_the_value_after_a_terminal():
    obs = torch.zeros(1, 1, 2)
    batch = TransitionBatch(obs, obs, torch.full((1, 1, 1), 2.0), obs, torch.ones(1, 1, 1))

    def perfect(o, a, z):
        return torch.full_like(o[..., :1], 20.0), torch.full_like(o[..., :1], 20.0)

    def huge(o, z):
        return torch.full_like(o[..., :1], 1e6)

    assert (
        negative_bellman_error(
            torch.zeros(1, 1, 2), batch, perfect, huge, reward_scale=10.0, discount=0.9
        ).item()
        == 0.0
    )


@pytest.mark.parametrize("max_rows", [1, 5, 10_000])
def test_soft_q_equals_a_loop(max_rows):
    torch.manual_seed(2)
    obs, action, z = torch.randn(6, 2), torch.randn(6, 2), torch.randn(3, 2)
    expected = [
        [min(x.item() for x in _critics(obs[t][None], action[t][None], z[k][None])) for k in range(3)]
        for t in range(6)
    ]
    np.testing.assert_allclose(soft_q(obs, action, z, _critics, max_rows), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("first", "second", "cost", "limit"), [(1, 1, 1, 1), (7, 5, 3, 10), (7, 5, 3, 40), (4, 6, 100, 10)]
)
def test_chunks_cover_the_grid_once_within_the_bound(first, second, cost, limit):
    covered = np.zeros((first, second), int)
    for n, k in grid_chunks(first, second, cost, limit):
        covered[n, k] += 1
        cells = covered[n, k].size
        assert cells * cost <= limit or cells == 1
    assert (covered == 1).all()
