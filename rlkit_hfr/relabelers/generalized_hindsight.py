"""Generalized Hindsight (Li et al. 2020): the task on which a path did best, by return, by
advantage or by approximate IRL.

Returns are discounted and in the critic's units: R(tau|v) = sum_t discount^t reward_scale r_v(s_t, a_t).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from rlkit_hfr.checks import one_of, positive_int
from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler, several, to_numpy
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.state import State, as_tensor


class BestTaskRelabeler(Relabeler):
    """The best of `num_candidates` training tasks, drawn anew for every path (Generalized
    Hindsight algorithms 2 and 3).
    """

    def __init__(self, *, num_candidates: int = 100, tasks_per_path: int = 1) -> None:
        """num_candidates: K, the tasks that are tried; all training tasks if there are no more.
        tasks_per_path: m, the best of them that get the path."""
        self.num_candidates = positive_int("num_candidates", num_candidates)
        self.tasks_per_path = positive_int("tasks_per_path", tasks_per_path)

    def scores(self, paths: Sequence[PathDict], scorer: Scorer) -> np.ndarray:
        """What is maximised, (N, K) over all training tasks."""
        raise NotImplementedError

    def ties(self, paths: Sequence[PathDict], scorer: Scorer, rng: np.random.Generator) -> np.ndarray:
        """What decides between equals, (N, K)."""
        return np.zeros((len(paths), len(scorer.candidate_tasks)))

    @torch.no_grad()
    def decide(
        self, paths: Sequence[PathDict], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        scores, tasks = self.scores(paths, scorer), scorer.candidate_tasks
        ties = self.ties(paths, scorer, rng)
        decisions = []
        for score, tie in zip(scores, ties):
            tried = rng.choice(len(tasks), min(self.num_candidates, len(tasks)), replace=False)
            keys = [np.where(np.isnan(key[tried]), -np.inf, key[tried]) for key in (tie, score)]
            best = tried[np.lexsort(keys)[::-1][: self.tasks_per_path]]
            probs = np.bincount(best, minlength=len(tasks)) / len(best)
            decisions.append(RelabelDecision(several(tasks, best), probs, score, np.full(len(tasks), np.nan)))
        return decisions


class RankedByReturn(BestTaskRelabeler):
    """Compares returns, of rewards that can be chosen."""

    def __init__(self, *, returns: str = "context", **options: Any) -> None:
        """returns: of the rewards that the "context" sees, as the other methods have them, or of those
        that the "critic" is trained on: they differ where the context's are sparse and the critic's
        dense. The rest as `BestTaskRelabeler`."""
        super().__init__(**options)
        self.returns = one_of("returns", returns, ("context", "critic"))

    def path_returns(self, paths: Sequence[PathDict], scorer: Scorer) -> np.ndarray:
        """R(tau|v) of every path under every training task: (N, K)."""
        return scaled_returns(paths, scorer, of_context=self.returns == "context")


class ReturnRelabeler(RankedByReturn):
    """argmax_v R(tau|v) (Generalized Hindsight eq. 5): the negative control, which follows
    whichever task pays more in general.
    """

    name = "return"

    def scores(self, paths: Sequence[PathDict], scorer: Scorer) -> np.ndarray:
        return self.path_returns(paths, scorer)


class AdvantageRelabeler(BestTaskRelabeler):
    """argmax_v R(tau|v) - V(s_0, v) (eq. 6), V(s, v) = min Q(s, a ~ pi(.|s, z_v), z_v)
    (eq. 7) with z_v from the task's own context.
    """

    name = "advantage"

    def scores(self, paths: Sequence[PathDict], scorer: Scorer) -> np.ndarray:
        return advantages(paths, scorer)


class AIRRelabeler(RankedByReturn):
    """argmax_v of the share of the N most recent paths that tau beats or equals under v
    (eq. 3), ties by the advantage (eq. 4).

    The advantage is one of the rewards that V is trained on. Where the context's are others, it would
    decide nearly all (most paths earn no sparse reward under most tasks), and ties are drawn.
    """

    name = "air"

    def __init__(self, *, num_recent: int = 100, **options: Any) -> None:
        """num_recent: N; the rest as `RankedByReturn`."""
        super().__init__(**options)
        self._recent: deque[np.ndarray] = deque(maxlen=positive_int("num_recent", num_recent))

    def observe(self, paths: Sequence[PathDict], scorer: Scorer) -> None:
        # A path's returns under all tasks are worked out once, so that comparing with
        # it later costs K and not K x T.
        self._recent.extend(self.path_returns(paths, scorer))

    def state_dict(self) -> State:
        return dict(recent=[as_tensor(row) for row in self._recent])

    def load_state_dict(self, state: State) -> None:
        self._recent.clear()
        self._recent.extend(row.numpy() for row in state["recent"])

    def scores(self, paths: Sequence[PathDict], scorer: Scorer) -> np.ndarray:
        own = self.path_returns(paths, scorer)
        if not self._recent:
            return np.zeros_like(own)
        return (own[:, None] >= np.stack(self._recent)[None]).mean(axis=1)

    def ties(self, paths: Sequence[PathDict], scorer: Scorer, rng: np.random.Generator) -> np.ndarray:
        if scorer.networks.sparse_rewards and self.returns == "context":
            return rng.random((len(paths), len(scorer.candidate_tasks)))
        return advantages(paths, scorer)


def scaled_returns(paths: Sequence[PathDict], scorer: Scorer, of_context: bool) -> np.ndarray:
    """Discounted returns in the critic's units of every path under every training task: (N, K).
    of_context: of the rewards that the context sees, and not of those that the critic is trained on."""
    totals = scorer.returns(paths, scorer.networks.discount, of_context=of_context)
    return scorer.networks.reward_scale * totals


def advantages(paths: Sequence[PathDict], scorer: Scorer) -> np.ndarray:
    """R(tau|v) - V(s_0, v), both of the rewards that V is trained on: (N, K)."""
    first = np.stack([path["observations"][0] for path in paths])
    return scaled_returns(paths, scorer, of_context=False) - to_numpy(scorer.task_values(first))
