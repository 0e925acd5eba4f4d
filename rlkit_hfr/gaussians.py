"""Densities of Gaussians and of what becomes of them: products, tanh, standard noise. Pure
functions of tensors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_LOG_SQRT_2_PI = 0.5 * math.log(2.0 * math.pi)


def product_of_gaussians(mus: Tensor, variances: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean and variance of the normalised product of B Gaussians (PEARL, section 4.2).

    mus, variances: (..., B, Z); mask: (..., B), rows where it is False are left out. Returns (..., Z) twice.
    """
    precision = variances.clamp(min=1e-7).reciprocal()
    if mask is not None:
        precision = precision * mask.unsqueeze(-1)
    variance = precision.sum(dim=-2).reciprocal()
    return variance * (mus * precision).sum(dim=-2), variance


def masked_mean(rows: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean over B rows (..., B, Z), without those where mask (..., B) is False: (..., Z)."""
    weight = torch.ones_like(rows[..., :1]) if mask is None else mask.unsqueeze(-1).to(rows.dtype)
    return (rows * weight).sum(dim=-2) / weight.sum(dim=-2)


def posterior(params: Tensor, latent_dim: int, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """q(z|c), mean and variance (..., Z), of what an encoder says of each context row.

    params: (..., B, 2 Z), factors of a product of Gaussians, variances before a softplus (PEARL eq. 2);
    or (..., B, Z) of an encoder without information bottleneck: z is their mean, the variance 0.
    mask: (..., B), False where a row is padding.
    """
    if params.shape[-1] == latent_dim:
        mean = masked_mean(params, mask)
        return mean, torch.zeros_like(mean)
    return product_of_gaussians(params[..., :latent_dim], F.softplus(params[..., latent_dim:]), mask)


def tanh_log_det(pre_tanh: Tensor) -> Tensor:
    """log |d tanh(x) / dx|, element-wise, without the cancellation of log(1 - tanh(x)^2)."""
    return 2.0 * (math.log(2.0) - pre_tanh - F.softplus(-2.0 * pre_tanh))


def tanh_gaussian_log_prob(noise: Tensor, log_std: Tensor, pre_tanh: Tensor) -> Tensor:
    """log pi(a|s) of a = tanh(pre_tanh), pre_tanh = mean + std noise (SAC, appendix C).

    All (..., A); returns (..., 1).
    """
    log_normal = -0.5 * noise.square() - log_std - _LOG_SQRT_2_PI
    return (log_normal - tanh_log_det(pre_tanh)).sum(dim=-1, keepdim=True)
