"""Products of Gaussians and what tanh makes of one, against closed forms."""

from __future__ import annotations

import pytest
import torch

from rlkit_hfr.gaussians import masked_mean, posterior, product_of_gaussians, tanh_log_det
from rlkit_hfr.pearl.perceptrons import TanhGaussianPolicy


def test_product_of_gaussians_closed_form_and_mask():
    mu, variance = torch.tensor([[0.0], [3.0], [99.0]]), torch.tensor([[1.0], [0.5], [0.01]])
    # precisions 1 and 2: variance 1/3, mean (0 * 1 + 3 * 2) / 3
    mean, var = product_of_gaussians(mu, variance, torch.tensor([True, True, False]))
    torch.testing.assert_close((mean, var), (torch.tensor([2.0]), torch.tensor([1 / 3])))
    batched = product_of_gaussians(mu[:2].expand(4, 2, 1), variance[:2].expand(4, 2, 1))[0]
    torch.testing.assert_close(batched, torch.full((4, 1), 2.0))


def test_policy_log_probability_is_a_density():
    """log pi integrates to one over the actions of a one-dimensional policy."""
    torch.manual_seed(0)
    policy = TanhGaussianPolicy([8], 3, 1)
    out = policy(torch.randn(1, 3), deterministic=True)
    pre_tanh = torch.linspace(-12, 12, 20001).unsqueeze(1)
    log_normal = torch.distributions.Normal(out.mean, out.std).log_prob(pre_tanh)
    density, actions = (log_normal - tanh_log_det(pre_tanh)).exp(), torch.tanh(pre_tanh.double())
    assert torch.trapezoid(density.squeeze().double(), actions.squeeze()).item() == pytest.approx(
        1.0, abs=1e-3
    )
    x = torch.tensor([-20.0, 0.3, 20.0], dtype=torch.float64)
    torch.testing.assert_close(tanh_log_det(x)[1], torch.log(1 - torch.tanh(x[1]) ** 2))
    assert torch.isfinite(tanh_log_det(x)).all()


def test_a_mean_leaves_padding_out():
    rows = torch.tensor([[[1.0], [3.0], [99.0]], [[2.0], [4.0], [9.0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert masked_mean(rows, mask).tolist() == [[2.0], [5.0]]
    torch.testing.assert_close(masked_mean(rows), torch.tensor([[103.0 / 3], [5.0]]))


@pytest.mark.parametrize("bottleneck", [True, False])
def test_the_posterior_is_what_an_encoder_says_of_each_row(bottleneck):
    """By hand: factors of a product of Gaussians with the bottleneck, a plain mean without."""
    params = torch.randn(2, 5, 6 if bottleneck else 3)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    mean, variance = posterior(params, 3, mask)
    for task, rows in enumerate((5, 2)):
        for i in range(3):
            means = params[task, :rows, i]
            if not bottleneck:
                expected = (means.mean(), torch.tensor(0.0))
            else:
                precisions = 1.0 / torch.log1p(torch.exp(params[task, :rows, 3 + i]))
                total = precisions.sum()
                expected = ((means * precisions).sum() / total, 1.0 / total)
            torch.testing.assert_close((mean[task, i], variance[task, i]), expected)
