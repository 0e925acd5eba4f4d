"""Estimators of log Z(psi): which trajectories it is taken over, and how their utilities
become one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Union

import torch
from torch import Tensor

from rlkit_hfr.distribution import log_partition

# name -> what the M samples of a task are
SAMPLES: Mapping[str, str] = {
    "pooled": "recent trajectories of all tasks, each relabeled to psi",
    "pooled-mean": "recent trajectories of all tasks, each relabeled to psi",
    "contexts": "batches of random rows of what was last collected for psi",
    "trajectories": "trajectories stored for psi",
    "mean": "trajectories stored for psi",
    "off": "none: log Z = 0",
}
NORMALISERS = tuple(SAMPLES)
# (M, K), or (M_k,) of each task where their numbers differ
Utilities = Union[Tensor, "tuple[Tensor, ...]"]


def normaliser_samples(normaliser: str) -> str | None:
    """Whose utilities an estimator takes: "pooled", "contexts", "trajectories", or None for "off"."""
    return {"pooled-mean": "pooled", "mean": "trajectories", "off": None}.get(normaliser, normaliser)


def estimate_log_z(
    normaliser: str, temperature: float, utilities_of: Callable[[str], Utilities]
) -> Tensor | None:
    """log Z(psi) of every task, (K,) float64; None for "off".

    * "pooled": log mean exp over trajectories of all tasks, each relabeled to psi. The Z of HFR
      eq. 8 is an integral over all trajectories; HIPI (algorithm 1) takes it over its batch.
    * "pooled-mean": the mean utility of those, which Jensen's inequality puts below "pooled". What is
      left of U is what a trajectory is worth beyond an average one; a task that many trajectories solve
      keeps those that solve it.
    * "contexts": log mean exp over batches of random rows of the latest originals of psi, as the
      release of HFR does. Nearly the same posterior each time, so close to a mean.
    * "trajectories": log mean exp over trajectories stored for psi (HFR algorithm 1 to the letter).
    * "mean": the mean utility of those, the limit of a high temperature. A task that is solved is at
      its mean with every trajectory that solves it, and gives these away.

    temperature: T log mean exp(U / T), the same T as that of the softmax.
    utilities_of: samples ("pooled", "contexts" or "trajectories") -> their utilities (M, K),
        or a tuple of (M_k,) where tasks have different numbers of them.
    """
    samples = normaliser_samples(normaliser)
    if samples is None:
        return None
    of_means = normaliser in ("mean", "pooled-mean")
    used, utilities = math.inf if of_means else temperature, utilities_of(samples)
    if isinstance(utilities, tuple):
        return torch.stack([log_partition(of_task, temperature=used) for of_task in utilities])
    return log_partition(utilities, temperature=used)
