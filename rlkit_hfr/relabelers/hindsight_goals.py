"""Hindsight goals (Andrychowicz et al. 2017) among the training tasks: a path goes to the task whose goal it reached."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlkit_hfr.paths import Path
from rlkit_hfr.relabelers.base import RelabelDecision, Relabeler
from rlkit_hfr.relabelers.scorer import Scorer


class HindsightGoalRelabeler(Relabeler):
    """Goals are matched to training tasks: the nearest one within its reward's tolerance, and otherwise the path is left alone."""

    needs_goals = True

    @staticmethod
    def nearest(distances: np.ndarray, tasks: Sequence[int], source: int) -> np.ndarray:
        """The task nearest to each reached goal, `source` where none is within its tolerance. distances: (K, n). Returns (n,)."""
        best = distances.argmin(axis=0)
        return np.where(distances.min(axis=0) <= 1.0, np.asarray(tasks)[best], source)


class FinalStateRelabeler(HindsightGoalRelabeler):
    """HER's "final": the whole path goes to the task whose goal its last state reached."""

    name = "final-state"

    def decide(
        self, paths: Sequence[Path], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        tasks = scorer.candidate_tasks
        decisions = []
        for path, source in zip(paths, source_tasks, strict=True):
            distances = scorer.goal_distances(path)[:, -1:]
            new = int(self.nearest(distances, tasks, source)[0])
            decisions.append(RelabelDecision(new, np.eye(len(tasks))[tasks.index(new)], -distances[:, 0], np.full(len(tasks), np.nan)))
        return decisions


class FutureStateRelabeler(HindsightGoalRelabeler):
    """HER's "future": each transition goes to the task whose goal a state reached that is drawn from those of the path from there on."""

    name = "future-state"

    def decide(
        self, paths: Sequence[Path], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        tasks = scorer.candidate_tasks
        decisions = []
        for path, source in zip(paths, source_tasks, strict=True):
            distances = scorer.goal_distances(path)
            steps = np.arange(distances.shape[1])
            new = self.nearest(distances[:, rng.integers(steps, len(steps))], tasks, source)
            probs = np.mean(new[:, None] == np.asarray(tasks), axis=0)
            decisions.append(RelabelDecision(new, probs, -distances.mean(axis=1), np.full(len(tasks), np.nan)))
        return decisions
