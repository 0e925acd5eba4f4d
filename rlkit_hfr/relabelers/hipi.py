"""Hindsight Inference for Policy Improvement, per transition (Eysenbach et al. 2020, eq. 8)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.checks import non_negative, one_of, positive_int
from rlkit_hfr.distribution import log_partition, relabel_probs
from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.normalisers import NORMALISERS, Utilities, estimate_log_z
from rlkit_hfr.relabelers.relabeler import (
    RelabelDecision,
    Relabeler,
    check_latents,
    default_temperature,
    sample_rows,
    to_numpy,
)
from rlkit_hfr.scoring.scorer import LATENTS, Scorer
from rlkit_hfr.utility import soft_q


class HIPIRelabeler(Relabeler):
    """Every transition goes to its own task, psi ~ softmax(Q(s_t, a_t, z_psi) - log Z(psi)), with z_psi
    from the task's own context."""

    name = "hipi"
    per_transition = True
    normalisers = ("path", *NORMALISERS)

    def __init__(
        self,
        *,
        temperature: float | None = None,
        normaliser: str = "path",
        num_partition_samples: int = 20,
        num_latents: int = 1,
        latent: str = "sample",
    ) -> None:
        """temperature: as of `TrajectoryRelabeler`; normaliser: "path" takes log
        Z(psi) = log mean_t exp Q(s_t, a_t, z_psi) over the path's own transitions, as the release of
        HFR does; the others are those of `NORMALISERS`, over the transitions of
        `num_partition_samples` trajectories; num_latents: samples of z_psi that Q is averaged over;
        latent: "sample", or "mean" for the posterior's mean."""
        self.temperature = None if temperature is None else non_negative("temperature", temperature)
        self.normaliser = one_of("normaliser", normaliser, self.normalisers)
        self.num_partition_samples = positive_int("num_partition_samples", num_partition_samples)
        self.latent = one_of("latent", latent, LATENTS)
        self.num_latents = positive_int("num_latents", num_latents)
        check_latents(self.latent, self.num_latents)
        self.stored_trajectories = self.num_partition_samples

    def _scores(self, obs: Tensor, action: Tensor, scorer: Scorer) -> Tensor:
        """Q(s, a, z_psi) of transitions (T, S), (T, A), averaged over z_psi: (T, K)."""
        draws = scorer.once("task_latents", lambda: scorer.task_latents(self.num_latents, self.latent))
        scores = [soft_q(obs, action, z, scorer.networks.critics, scorer.max_rows) for z in draws]
        return torch.stack(scores).mean(dim=0)

    def _sampled_scores(self, samples: str, scorer: Scorer) -> Utilities:
        """Q of transitions of each task's samples, (M, K); where tasks have samples of their own, (M_k,) of
        each."""
        if samples == "pooled":
            paths = scorer.memory.pooled_paths(self.num_partition_samples)
            obs, action = (
                np.concatenate([path[key] for path in paths]) for key in ("observations", "actions")
            )
            return self._scores(scorer.tensor(obs), scorer.tensor(action), scorer)
        drawn = scorer.sampled_transitions(samples, self.num_partition_samples)
        return tuple(
            self._scores(scorer.tensor(obs), scorer.tensor(action), scorer)[:, k]
            for k, (obs, action) in enumerate(drawn)
        )

    def _log_partition(self, temperature: float, scorer: Scorer) -> Tensor | None:
        """log Z of every candidate task, (K,), kept while the networks do not change; None for 0."""

        def scores_of(samples: str) -> Utilities:
            scores: Utilities = scorer.once(
                "sampled_utilities", lambda: self._sampled_scores(samples, scorer)
            )
            return scores

        return estimate_log_z(self.normaliser, temperature, scores_of)

    @torch.no_grad()
    def decide(
        self, paths: Sequence[PathDict], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        tasks = np.asarray(scorer.candidate_tasks)
        given, scale = self.temperature, scorer.networks.reward_scale
        temperature = default_temperature(scale) if given is None else given
        own = self.normaliser == "path"
        shared_log_z = None if own else self._log_partition(temperature, scorer)
        decisions = []
        for path in paths:
            scores = self._scores(scorer.tensor(path["observations"]), scorer.tensor(path["actions"]), scorer)
            log_z = log_partition(scores, temperature=temperature) if own else shared_log_z
            probs = to_numpy(relabel_probs(scores, log_z, temperature))
            chosen = tasks[sample_rows(probs, rng)]
            normaliser = np.full(len(tasks), np.nan) if log_z is None else to_numpy(log_z)
            decisions.append(
                RelabelDecision(chosen, probs.mean(axis=0), to_numpy(scores).mean(axis=0), normaliser)
            )
        return decisions
