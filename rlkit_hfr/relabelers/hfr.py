"""Hindsight Foresight Relabeling (HFR section 4, algorithm 1)."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rlkit_hfr.distribution import log_partition
from rlkit_hfr.paths import Path
from rlkit_hfr.relabelers.base import TrajectoryRelabeler, positive_int
from rlkit_hfr.relabelers.scorer import Scorer
from rlkit_hfr.utility import post_adaptation_value


class ForesightRelabeler(TrajectoryRelabeler):
    """A utility of the latent that a trajectory leads to: z ~ q(z | tau relabeled with psi).

    What the utility is measured on (initial states, transitions) is drawn once while the networks do not change and shared by all paths
    and by log Z, so that U - log Z compares latents and not draws.
    """

    def foresight(self, z: Tensor, scorer: Scorer) -> Tensor:
        """U_psi of latents z (N, K, Z): (N, K)."""
        raise NotImplementedError

    @torch.no_grad()
    def utilities(self, paths: Sequence[Path], scorer: Scorer) -> Tensor:
        return self.foresight(scorer.path_latents(paths), scorer)

    def log_partition(self, scorer: Scorer) -> Tensor:
        """log Z over `num_partition_samples` trajectories stored for each task, kept while the networks do not change."""
        return scorer.once("log_partition", lambda: self._log_partition(scorer))

    @torch.no_grad()
    def _log_partition(self, scorer: Scorer) -> Tensor:
        return log_partition(self.foresight(scorer.stored_latents(self.num_partition_samples), scorer))


class HFRRelabeler(ForesightRelabeler):
    """U = mean Q(s1, a ~ pi(.|s1, z), z) over initial states s1 of the task (HFR eq. 9): the return after adapting on the path."""

    name = "hfr"
    bfloat16_suffices = True  # the mean over states averages it out: benchmarks/rounding.py

    def __init__(self, *, num_initial_states: int = 256, **options: Any) -> None:
        """num_initial_states: N_U of eq. 9; the rest as `TrajectoryRelabeler`."""
        super().__init__(**options)
        self.num_initial_states = positive_int("num_initial_states", num_initial_states)

    def foresight(self, z: Tensor, scorer: Scorer) -> Tensor:
        initial_obs = scorer.once("initial_obs", lambda: scorer.initial_obs(self.num_initial_states))
        return post_adaptation_value(z, initial_obs, scorer.action, scorer.networks.critics, scorer.max_rows)
