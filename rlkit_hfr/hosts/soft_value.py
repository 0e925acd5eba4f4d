"""V(s, z) of a host: that of its target network, or else what its target critics and its policy say."""

from __future__ import annotations

from typing import Callable

import torch
from torch import Tensor, nn

from rlkit_hfr.gaussians import tanh_gaussian_log_prob
from rlkit_hfr.hosts.conventions import Call, normal_parameters, value_calls
from rlkit_hfr.hosts.parts import HostParts
from rlkit_hfr.protocols import Policy

Noise = Callable[..., Tensor]
Value = Callable[[Tensor, Tensor, Noise], Tensor]


def find_value(
    parts: HostParts,
    policy: Policy | None,
    dummies: tuple[Tensor, Tensor, Tensor],
) -> Value | None:
    """How to get V(s, z), (R, 1), from observations, latents and a source of noise; None
    if the host has nothing that gives it.

    policy: one that gives the parameters of a normal, or None; dummies: rows of
    observations, actions and latents.
    """
    owner = parts.owner
    obs, action, z = dummies
    if isinstance(getattr(owner, "target_vf", None), nn.Module):
        calls = value_calls([parts.get("target_vf")], ("obs", "z"), (obs, z))
        return None if calls is None else lambda o, latent, noise: calls[0](o, latent)
    if policy is None or not all(
        isinstance(getattr(owner, name, None), nn.Module) for name in ("target_qf1", "target_qf2")
    ):
        return None
    pair = value_calls([parts.get("target_qf1"), parts.get("target_qf2")], ("obs", "action", "z"), dummies)
    if pair is None:
        return None
    return lambda o, latent, noise: _soft_value(policy, pair, _entropy_weight(parts), o, latent, noise)


def _soft_value(
    policy: Policy,
    targets: list[Call],
    weight: Tensor | float,
    obs: Tensor,
    z: Tensor,
    noise: Noise,
) -> Tensor:
    """V(s, z) = min target Q(s, a, z) - alpha log pi(a|s, z), a ~ pi, for hosts without a V network."""
    parameters = normal_parameters(policy(obs, z))
    assert parameters is not None
    mean, std = (part.float() for part in parameters)
    eps = noise(*mean.shape)
    pre_tanh = mean + std * eps
    log_pi = tanh_gaussian_log_prob(eps, std.log(), pre_tanh)
    action = torch.tanh(pre_tanh)
    return torch.min(targets[0](obs, action, z), targets[1](obs, action, z)).float() - weight * log_pi


def _entropy_weight(parts: HostParts) -> Tensor | float:
    """alpha of the maximum-entropy objective: exp(log_alpha), alpha, or 1."""
    for holder in (parts.owner, parts.algorithm):
        log_alpha, alpha = (getattr(holder, name, None) for name in ("log_alpha", "alpha"))
        if log_alpha is not None:
            return torch.as_tensor(log_alpha).exp()
        if alpha is not None:
            return alpha
    return 1.0
