"""Candidates beyond the training tasks: tasks drawn anew for every path (Li et al. 2020, algorithms 2, 3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from rlkit_hfr.checks import one_of, positive_int
from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler
from rlkit_hfr.scoring.path_states import path_states, paths_from
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.state import State

RANKINGS = ("air", "return")
VIRTUAL = ("nearest", "stay")


class VirtualRelabeler(Relabeler):
    """The best of the K training tasks and of `num_virtual` tasks that are drawn from the family's
    distribution for each path. Where a virtual task is the best, the path fits none of the K: it goes to the
    training task whose vector is nearest, or stays.

    Nearest: by the distance of the vectors, each number in units of its standard deviation among the
    training tasks. Of equals, one with a higher return is better, and then a training task.
    """

    name = "virtual"
    needs_vectors = True

    def __init__(
        self,
        *,
        num_virtual: int = 20,
        ranking: str = "air",
        fits_none: str = "nearest",
        num_recent: int = 20,
    ) -> None:
        """num_virtual: V; ranking: "air", the share of recent paths that the path beats or equals under the
        task (Generalized Hindsight eq. 3), or "return"; fits_none: where a path goes whose best task is
        virtual, "nearest" or "stay"; num_recent: N, the paths to compare with."""
        self.num_virtual = positive_int("num_virtual", num_virtual)
        self.ranking = one_of("ranking", ranking, RANKINGS)
        self.fits_none = one_of("fits_none", fits_none, VIRTUAL)
        self._recent: deque[PathDict] = deque(maxlen=positive_int("num_recent", num_recent))

    def observe(self, paths: Sequence[PathDict], scorer: Scorer) -> None:
        self._recent.extend(paths)

    def state_dict(self) -> State:
        return dict(recent=path_states(self._recent))

    def load_state_dict(self, state: State) -> None:
        self._recent.clear()
        self._recent.extend(paths_from(state["recent"]))

    def decide(
        self, paths: Sequence[PathDict], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        tasks = scorer.candidate_tasks
        known = scorer.task_vectors()
        deviation = known.std(axis=0)
        units = np.where(deviation > 0.0, deviation, 1.0)
        decisions = []
        for path, source in zip(paths, source_tasks):
            vectors = np.concatenate([known, scorer.sample_vectors(self.num_virtual, rng)])
            own = scorer.vector_returns(path, vectors)
            scores = own if self.ranking == "return" else self._shares(own, vectors, scorer)
            best = int(np.lexsort((np.arange(len(own)) < len(known), own, scores))[-1])
            place = best
            if best >= len(known):
                nearest = int(np.square((known - vectors[best]) / units).sum(axis=1).argmin())
                place = nearest if self.fits_none == "nearest" else tasks.index(source)
            sure = np.eye(len(tasks))[place]
            decisions.append(
                RelabelDecision(tasks[place], sure, scores[: len(known)], np.full(len(tasks), np.nan))
            )
        return decisions

    def _shares(self, own: np.ndarray, vectors: np.ndarray, scorer: Scorer) -> np.ndarray:
        """Share of the recent paths that a path with these returns beats or equals, (K + V,)."""
        if not self._recent:
            return np.zeros_like(own)
        others = np.stack([scorer.vector_returns(path, vectors) for path in self._recent])
        return (own >= others).mean(axis=0)
