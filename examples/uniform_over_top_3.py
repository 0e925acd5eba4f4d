"""A relabeler of one's own: any of the three tasks that a trajectory is worth most to.

    python -m rlkit_hfr train --env point-robot --preset quick \\
        --relabeler examples.uniform_over_top_3:UniformOverTop3
"""

from __future__ import annotations

import torch
from torch import Tensor

from rlkit_hfr.relabelers.hfr import HFRRelabeler


class UniformOverTop3(HFRRelabeler):
    """HFR's utility less log Z, and a uniform choice among the best three instead of its
    softmax.
    """

    name = "uniform-over-top-3"

    def distribution(self, utilities: Tensor, log_z: Tensor | None) -> Tensor:
        """utilities: (N, K); log_z: (K,) or None. Returns probabilities (N, K)."""
        scores = utilities if log_z is None else utilities - log_z
        best = scores.topk(min(3, scores.shape[1]), dim=1).indices
        return torch.zeros_like(scores).scatter(1, best, 1.0 / best.shape[1])
