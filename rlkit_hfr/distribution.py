"""From utilities to a distribution over tasks. Pure functions of tensors; N paths, K tasks, M samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_NEG_INF = float("-inf")


def log_partition(utilities: Tensor, dim: int = 0, temperature: float = 1.0) -> Tensor:
    """T log 1/M sum_i exp(U_psi(tau_i) / T) over `dim`: log Z(psi) at temperature T.

    HFR algorithm 1, GetLogPartition, at T = 1. As T falls to 0 it is the largest utility, and
    as T grows it is their mean (T = inf).

    utilities: (M, K) with the default dim; returns (K,) float64. Computed around the maximum, so
    that utilities of any magnitude are safe; NaN counts as -inf, and is left out of the mean. A task whose
    utilities are all NaN or -inf has log Z = -inf. Raises ValueError if there is no sample.
    """
    if utilities.shape[dim] == 0:
        raise ValueError("log_partition needs at least one trajectory per task, got an empty sample axis")
    values = utilities.double()
    if math.isinf(temperature):
        missing = torch.isnan(values)
        total = values.masked_fill(missing, 0.0).sum(dim=dim)
        return _or_nothing(total / (~missing).sum(dim=dim))
    safe = _or_nothing(values)
    if temperature == 0.0:
        return safe.amax(dim=dim)
    return temperature * (torch.logsumexp(safe / temperature, dim=dim) - math.log(utilities.shape[dim]))


def relabel_probs(
    utilities: Tensor,
    log_partition: Tensor | None = None,
    temperature: float = 1.0,
    log_prior: Tensor | None = None,
    unit: float = 1.0,
) -> Tensor:
    """q(psi|tau) = softmax_psi((u log p(psi) + U_psi(tau) - log Z(psi)) / T)   (HFR eq. 8; T of section 5.2).

    utilities: (..., K); log_partition: (K,), None for 0; log_prior: (K,), None for uniform; unit: u, the
    utility that weighs as much as a factor e of the prior: at T = u the prior is p(psi) itself. T = 0 is
    the hard-max: all mass on the best task, in equal shares between equals; T = inf is uniform.
    Tasks whose utility is NaN or -inf, or whose log Z is not finite, or whose prior is 0, get no
    mass; if that leaves none, the prior is returned. Returns (..., K) float64 that sums to one.
    """
    if temperature < 0.0 or math.isnan(temperature):
        raise ValueError(f"temperature must be zero (hard-max) or more, got {temperature}")
    scores = utilities.double()
    if log_partition is not None:
        scores = scores - log_partition.double()
        scores = torch.where(torch.isfinite(log_partition), scores, _NEG_INF)
    scores = scores.nan_to_num(nan=_NEG_INF, posinf=torch.finfo(torch.float64).max, neginf=_NEG_INF)
    prior = torch.zeros_like(scores) if log_prior is None else log_prior.double().expand_as(scores)
    scores = scores + unit * prior
    best = scores.max(dim=-1, keepdim=True).values
    known = best > _NEG_INF
    gaps = torch.where(known, scores - best, 0.0)
    hard = temperature == 0.0
    logits = torch.where(
        gaps == 0.0 if hard else gaps > _NEG_INF, gaps if hard else gaps / temperature, _NEG_INF
    )
    return torch.softmax(torch.where(known, logits, prior), dim=-1)


def _or_nothing(values: Tensor) -> Tensor:
    """-inf in the place of NaN."""
    return values.masked_fill(torch.isnan(values), _NEG_INF)


def entropy(probs: Tensor) -> Tensor:
    """Shannon entropy in nats over the last axis; its exponential is the effective number of tasks."""
    return -torch.xlogy(probs, probs).sum(dim=-1)
