"""The two baselines that look at nothing: a task at random, and no relabeling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler, all_stay
from rlkit_hfr.scoring.scorer import Scorer


class RandomRelabeler(Relabeler):
    """A training task drawn uniformly (the baseline of HFR section 5)."""

    name = "random"

    def decide(
        self, paths: Sequence[PathDict], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        tasks = scorer.candidate_tasks
        probs, unknown = np.full(len(tasks), 1.0 / len(tasks)), np.full(len(tasks), np.nan)
        return [
            RelabelDecision(tasks[k], probs, unknown, unknown)
            for k in rng.integers(len(tasks), size=len(paths))
        ]


class NoneRelabeler(Relabeler):
    """Every path stays with the task it was collected for."""

    name = "none"

    def decide(
        self, paths: Sequence[PathDict], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        return all_stay(source_tasks, scorer.candidate_tasks)
