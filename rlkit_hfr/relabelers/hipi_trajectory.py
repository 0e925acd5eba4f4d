"""HIPI for whole trajectories: the inverse-RL posterior over tasks (Eysenbach et al. 2020, eq. 7)."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlkit_hfr.distribution import log_partition
from rlkit_hfr.paths import Path
from rlkit_hfr.relabelers.base import TrajectoryRelabeler
from rlkit_hfr.relabelers.scorer import Scorer


class HIPITrajectoryRelabeler(TrajectoryRelabeler):
    """q(psi|tau) = softmax(sum_t r_psi(s_t, a_t) - log Z(psi)), rewards scaled as in training; log Z over trajectories stored for psi.

    The rewards are those that the context sees: the sparse ones where the host has them.
    """

    name = "hipi-trajectory"

    def utilities(self, paths: Sequence[Path], scorer: Scorer) -> Tensor:
        returns = scorer.returns(paths, discount=1.0, of_context=True)
        return torch.as_tensor(scorer.networks.reward_scale * returns, device=scorer.networks.device)

    def log_partition(self, scorer: Scorer) -> Tensor:
        """log Z, kept while the networks do not change, as for the other methods."""
        number, device = self.num_partition_samples, scorer.networks.device
        # Where the networks are, because a scorer that is restored puts there what it kept.
        stored = scorer.once(
            "stored_returns", lambda: torch.as_tensor(scorer.stored_returns(number), device=device)
        )
        return log_partition(scorer.networks.reward_scale * stored)
