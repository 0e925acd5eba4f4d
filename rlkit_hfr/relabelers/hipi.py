"""Hindsight Inference for Policy Improvement, per transition (Eysenbach et al. 2020, eq. 8)."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from rlkit_hfr.distribution import log_partition, relabel_probs
from rlkit_hfr.paths import Path
from rlkit_hfr.relabelers.base import RelabelDecision, Relabeler, non_negative, on_or_off, sample_rows, to_numpy
from rlkit_hfr.relabelers.scorer import Scorer
from rlkit_hfr.utility import soft_q


class HIPIRelabeler(Relabeler):
    """Every transition goes to its own task, psi ~ softmax(Q(s_t, a_t, z_psi) - log Z(psi)), with z_psi from the task's own context and
    log Z(psi) = log mean_t exp Q(s_t, a_t, z_psi) over the path's transitions."""

    name = "hipi"

    def __init__(self, *, temperature: float = 1.0, partition: str = "on") -> None:
        """temperature: of the softmax, 0 for the hard-max; partition: "on", or "off" for the ablation without log Z."""
        self.temperature, self.partition = non_negative("temperature", temperature), on_or_off("partition", partition)

    @torch.no_grad()
    def decide(
        self, paths: Sequence[Path], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        z = scorer.once("task_latents", scorer.task_latents)
        tasks = np.asarray(scorer.candidate_tasks)
        decisions = []
        for path in paths:
            obs, action = scorer.tensor(path["observations"]), scorer.tensor(path["actions"])
            scores = soft_q(obs, action, z, scorer.networks.critics, scorer.max_rows)
            log_z = log_partition(scores) if self.partition == "on" else None
            probs = to_numpy(relabel_probs(scores, log_z, self.temperature))
            chosen = tasks[sample_rows(probs, rng)]
            normaliser = np.full(len(tasks), np.nan) if log_z is None else to_numpy(log_z)
            decisions.append(RelabelDecision(chosen, probs.mean(axis=0), to_numpy(scores).mean(axis=0), normaliser))
        return decisions
