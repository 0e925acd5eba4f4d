"""Hindsight Foresight Relabeling (HFR section 4, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rlkit_hfr.checks import one_of, positive_int
from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.relabeler import TrajectoryRelabeler, check_latents
from rlkit_hfr.scoring.host_view import HostView
from rlkit_hfr.scoring.scorer import LATENTS, Posterior, Scorer
from rlkit_hfr.utility import post_adaptation_value


class ForesightRelabeler(TrajectoryRelabeler):
    """A utility of the latent that a trajectory leads to: z ~ q(z | tau relabeled with psi).

    What the utility is measured on (initial states, transitions) is drawn once while the networks
    do not change and shared by all paths and by log Z, so that U - log Z compares latents and not
    draws.
    """

    def __init__(self, *, num_latents: int = 1, latent: str = "mean", **options: Any) -> None:
        """num_latents: samples of z that a utility is averaged over; latent: "sample", or "mean" for
        the posterior's mean, which needs no samples; the rest as `TrajectoryRelabeler`."""
        super().__init__(**options)
        self.latent = one_of("latent", latent, LATENTS)
        self.num_latents = positive_int("num_latents", num_latents)
        check_latents(self.latent, self.num_latents)

    def foresight(self, z: Tensor, scorer: Scorer) -> Tensor:
        """U_psi of latents z (N, K, Z): (N, K)."""
        raise NotImplementedError

    def _expected_foresight(self, infer: Callable[[], Posterior], scorer: Scorer) -> Tensor:
        """U_psi, averaged over latents of posteriors of (N, K, Z): (N, K). Where the host's
        posteriors are samples, it infers anew for each.
        """
        draws = []
        for i in range(self.num_latents):
            if i == 0 or scorer.samples_alone:
                posterior = infer()
            draws.append(self.foresight(scorer.latents(posterior, self.latent), scorer))
        return torch.stack(draws).mean(dim=0)

    @torch.no_grad()
    def utilities(self, paths: Sequence[PathDict], scorer: Scorer) -> Tensor:
        return self._expected_foresight(lambda: scorer.path_posteriors(paths), scorer)

    @torch.no_grad()
    def sampled_utilities(self, samples: str, scorer: Scorer) -> Tensor:
        return self._expected_foresight(
            lambda: scorer.sampled_posteriors(samples, self.num_partition_samples), scorer
        )


UTILITIES = ("critic", "rollouts")


class HFRRelabeler(ForesightRelabeler):
    """U = mean Q(s1, a ~ pi(.|s1, z), z) over initial states s1 of the task (HFR eq. 9):
    the return after adapting on the path.
    """

    name = "hfr"
    bfloat16_suffices = True  # the mean over states averages it out: benchmarks/rounding.py

    def __init__(
        self,
        *,
        num_initial_states: int = 256,
        utility: str = "critic",
        num_rollouts: int = 1,
        **options: Any,
    ) -> None:
        """num_initial_states: N_U of eq. 9; utility: of the "critic" (eq. 9), or what the policy earns in
        "rollouts" in a copy of the environment (eq. 4), a reference that takes hundreds of times as long;
        num_rollouts: episodes of each path and task for that; the rest as `ForesightRelabeler`."""
        super().__init__(**options)
        self.utility = one_of("utility", utility, UTILITIES)
        self.num_rollouts = positive_int("num_rollouts", num_rollouts)
        if self.utility == "critic" and self.num_rollouts > 1:
            raise ValueError(f'num_rollouts must be 1 where utility is "critic", got {num_rollouts}')
        self.num_initial_states = positive_int("num_initial_states", num_initial_states)
        self.stored_initial_states = self.num_initial_states

    def check_host(self, networks: HostView, tasks: Sequence[int]) -> None:
        super().check_host(networks, tasks)
        if self.utility == "rollouts":
            networks.simulator()

    def foresight(self, z: Tensor, scorer: Scorer) -> Tensor:
        if self.utility == "rollouts":
            return scorer.simulated_utilities(z, self.num_rollouts)
        initial_obs = scorer.once("initial_obs", lambda: scorer.initial_obs(self.num_initial_states))
        return post_adaptation_value(z, initial_obs, scorer.action, scorer.networks.critics, scorer.max_rows)
