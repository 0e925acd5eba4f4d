"""HIPI for whole trajectories: the inverse-RL posterior over tasks (Eysenbach et al. 2020, eq. 7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.relabeler import TrajectoryRelabeler
from rlkit_hfr.scoring.scorer import Scorer


class HIPITrajectoryRelabeler(TrajectoryRelabeler):
    """q(psi|tau) = softmax(sum_t r_psi(s_t, a_t) - log Z(psi)), rewards scaled as in training.

    The rewards are those that the context sees: the sparse ones where the host has them.
    """

    name = "hipi-trajectory"

    def utilities(self, paths: Sequence[PathDict], scorer: Scorer) -> Tensor:
        return self._scaled(scorer.returns(paths, discount=1.0, of_context=True), scorer)

    def sampled_utilities(self, samples: str, scorer: Scorer) -> Tensor:
        return self._scaled(scorer.sampled_returns(samples, self.num_partition_samples), scorer)

    @staticmethod
    def _scaled(returns: np.ndarray, scorer: Scorer) -> Tensor:
        # Where the networks are, because a scorer that is restored puts there what it kept.
        return torch.as_tensor(scorer.networks.reward_scale * returns, device=scorer.networks.device)
