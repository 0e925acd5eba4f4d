"""Relabeling of batches as they are sampled from the RL buffer: HIPI's algorithm 2, and HTR's variant."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.checks import non_negative, number, one_of
from rlkit_hfr.distribution import log_partition, relabel_probs
from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.htr import THRESHOLD, earning_steps
from rlkit_hfr.relabelers.relabeler import (
    RelabelDecision,
    Relabeler,
    all_stay,
    default_temperature,
    to_numpy,
)
from rlkit_hfr.scoring.scorer import LATENTS, Scorer
from rlkit_hfr.utility import soft_q


class BatchScores(NamedTuple):
    """Of R sampled transitions and the N tasks of the batch. probs: (R, N); scores: (R, N) and log_partition:
    (N,), NaN where the method has none."""

    probs: np.ndarray
    scores: np.ndarray
    log_partition: np.ndarray


class SamplingRelabeler(Relabeler):
    """Decides for sampled transitions and not for paths, which all stay where they were collected.

    `relabel_fraction` is then the chance that a sampled transition is relabeled.
    """

    @abc.abstractmethod
    def score_batch(
        self, rows: PathDict, sources: np.ndarray, tasks: Sequence[int], scorer: Scorer
    ) -> BatchScores:
        """Where the transitions of a batch would go. rows: a path of the R transitions, with what was
        recorded of each; sources: (R,) places in `tasks`, the N distinct tasks of the batch."""

    def decide(
        self, paths: Sequence[PathDict], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        """Every path stays."""
        return all_stay(source_tasks, scorer.candidate_tasks)


class HIPISamplingRelabeler(SamplingRelabeler):
    """psi ~ softmax(Q(s, a, z_psi) - log Z(psi)) over the tasks of the batch, log Z(psi) = log mean exp of
    the column: over all transitions of the batch (Eysenbach et al. 2020, algorithms 1 and 2, eq. 8)."""

    name = "hipi-sampling"

    def __init__(self, *, temperature: float | None = None, latent: str = "sample") -> None:
        """temperature: of the softmax and of log Z, as of `TrajectoryRelabeler`; latent: a "sample" of z_psi
        given the task's own context, drawn for every batch, or the "mean" of the posterior."""
        self.temperature = None if temperature is None else non_negative("temperature", temperature)
        self.latent = one_of("latent", latent, LATENTS)

    @torch.no_grad()
    def score_batch(
        self, rows: PathDict, sources: np.ndarray, tasks: Sequence[int], scorer: Scorer
    ) -> BatchScores:
        scale = scorer.networks.reward_scale
        temperature = default_temperature(scale) if self.temperature is None else self.temperature
        (z,) = scorer.task_latents(1, self.latent, tasks)
        obs, action = scorer.tensor(rows["observations"]), scorer.tensor(rows["actions"])
        scores = soft_q(obs, action, z, scorer.networks.critics, scorer.max_rows)
        log_z: Tensor = log_partition(scores, temperature=temperature)
        probs = relabel_probs(scores, log_z, temperature)
        return BatchScores(to_numpy(probs), to_numpy(scores), to_numpy(log_z))


class HTRSamplingRelabeler(SamplingRelabeler):
    """Uniform over the tasks of the batch that reward the transition; one that none rewards stays (HTR,
    arXiv 2112.00901, relabeling when sampled)."""

    name = "htr-sampling"
    needs_goals = True
    instead_of_goals = THRESHOLD

    def __init__(self, *, threshold: float | None = None) -> None:
        """threshold: the context's reward above which a transition counts as rewarded; None: within the
        tolerance of the task's goal."""
        self.threshold = None if threshold is None else number("threshold", threshold)
        self.needs_goals = threshold is None

    def score_batch(
        self, rows: PathDict, sources: np.ndarray, tasks: Sequence[int], scorer: Scorer
    ) -> BatchScores:
        earned = earning_steps(rows, scorer, self.threshold, tasks).T
        probs = np.where(earned.any(axis=1, keepdims=True), earned, np.eye(len(tasks))[sources])
        unknown = np.full(len(tasks), np.nan)
        return BatchScores(probs / probs.sum(axis=1, keepdims=True), earned.astype(np.float64), unknown)
