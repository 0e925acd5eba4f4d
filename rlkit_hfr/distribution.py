"""From utilities to a distribution over tasks. Pure functions of tensors; N paths, K tasks, M samples."""
from __future__ import annotations

import math

import torch
from torch import Tensor

_NEG_INF = float("-inf")


def log_partition(utilities: Tensor, dim: int = 0) -> Tensor:
    """log Z(psi) = log 1/M sum_i exp U_psi(tau_i), over `dim` (HFR algorithm 1, GetLogPartition).

    utilities: (M, K) with the default dim; returns (K,). Computed around the maximum, so that utilities of any magnitude are safe;
    NaN counts as -inf. A task whose utilities are all -inf has log Z = -inf.
    """
    if utilities.shape[dim] == 0:
        raise ValueError("log_partition needs at least one trajectory per task, got an empty sample axis")
    safe = utilities.double().nan_to_num(nan=_NEG_INF, posinf=float("inf"), neginf=_NEG_INF)
    return torch.logsumexp(safe, dim=dim) - math.log(utilities.shape[dim])


def relabel_probs(
    utilities: Tensor, log_partition: Tensor | None = None, temperature: float = 1.0, log_prior: Tensor | None = None
) -> Tensor:
    """q(psi|tau) = softmax_psi(log p(psi) + (U_psi(tau) - log Z(psi)) / temperature)   (HFR eq. 8; the temperature of section 5.2).

    utilities: (..., K); log_partition: (K,), None for 0; log_prior: (K,), None for uniform. temperature 0 is the hard-max: all mass on
    the best task, shared in the proportions of the prior between equals. Tasks whose utility is NaN or -inf, or whose log Z is not
    finite, get no mass; if that leaves none, the prior is returned. Returns (..., K) float64 that sums to one.
    """
    if temperature < 0.0 or math.isnan(temperature):
        raise ValueError(f"temperature must be zero (hard-max) or more, got {temperature}")
    scores = utilities.double()
    if log_partition is not None:
        scores = scores - log_partition.double()
        scores = torch.where(torch.isfinite(log_partition), scores, _NEG_INF)
    scores = scores.nan_to_num(nan=_NEG_INF, posinf=torch.finfo(torch.float64).max, neginf=_NEG_INF)
    prior = torch.zeros_like(scores) if log_prior is None else log_prior.double().expand_as(scores)
    scores = torch.where(prior > _NEG_INF, scores, _NEG_INF)
    best = scores.max(dim=-1, keepdim=True).values
    gaps = torch.where(best > _NEG_INF, scores - best, 0.0)  # 0 where nothing is known of any task
    logits = torch.where(gaps == 0.0, prior, _NEG_INF) if temperature == 0.0 else prior + gaps / temperature
    return torch.softmax(logits, dim=-1)


def entropy(probs: Tensor) -> Tensor:
    """Shannon entropy in nats over the last axis; its exponential is the effective number of tasks."""
    return torch.special.entr(probs).sum(dim=-1)
