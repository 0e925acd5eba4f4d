"""Hindsight goals (Andrychowicz et al. 2017) among the training tasks: a path goes to the
task whose goal it reached.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler
from rlkit_hfr.scoring.scorer import Scorer


class HindsightGoalRelabeler(Relabeler):
    """Goals that were reached are matched to training tasks: the nearest one within its
    reward's tolerance, and otherwise nothing changes.
    """

    needs_goals = True

    def reached(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """The steps of a path of `length` whose states are the goals: (1,) for the whole
        path, or (length,), one for each transition.
        """
        raise NotImplementedError

    def decide(
        self, paths: Sequence[PathDict], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        tasks, unknown = np.asarray(scorer.candidate_tasks), np.full(len(scorer.candidate_tasks), np.nan)
        decisions = []
        for path, source in zip(paths, source_tasks):
            distances = scorer.goal_distances(path)
            distances = distances[:, self.reached(distances.shape[1], rng)]  # (K, goals)
            new = np.where(distances.min(axis=0) <= 1.0, tasks[distances.argmin(axis=0)], source)
            probs = np.mean(new[:, None] == tasks, axis=0)
            decisions.append(
                RelabelDecision(
                    new if self.per_transition else int(new[0]), probs, -distances.mean(axis=1), unknown
                )
            )
        return decisions


class FinalStateRelabeler(HindsightGoalRelabeler):
    """HER's "final": the whole path goes to the task whose goal its last state reached."""

    name = "final-state"

    def reached(self, length: int, rng: np.random.Generator) -> np.ndarray:
        return np.array([length - 1])


class FutureStateRelabeler(HindsightGoalRelabeler):
    """HER's "future": each transition goes to the task whose goal a state reached that is
    drawn from those of the path from there on.
    """

    name = "future-state"
    per_transition = True

    def reached(self, length: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(np.arange(length), length)
