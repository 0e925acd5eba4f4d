"""What became of each path: remembered until both buffers have asked, noted for scoring,
counted for the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.relabeler import RelabelDecision
from rlkit_hfr.scoring.scorer import Scorer

ROLES = frozenset({"rl", "encoder"})


class Route(NamedTuple):
    """path: as collected; kept: what training keeps under its own task (the path, some of its steps,
    or None); relabeled: pairs of another task and the path, or some of its steps, with that task's
    rewards; loose: whether these are steps that were chosen one by one, and no sequence."""

    path: PathDict
    kept: PathDict | None
    relabeled: tuple[tuple[int, PathDict], ...] = ()
    loose: bool = False


class RelabelingLedger:
    """Pairs the requests of both buffers by the identity of the path, whichever comes first.

    A route that its second buffer never asks for is dropped with the iteration.
    """

    def __init__(self, scorer: Scorer, statistics: RelabelStatistics) -> None:
        self.statistics = statistics
        self._scorer = scorer
        self._candidates = set(scorer.candidate_tasks)
        self._pending: dict[int, tuple[Route, set[str]]] = {}

    def begin_iteration(self) -> None:
        self._pending.clear()

    @property
    def is_settled(self) -> bool:
        """Whether both buffers have asked for every route."""
        return not self._pending

    def unknown(self, paths: Sequence[PathDict]) -> list[PathDict]:
        """Those of the paths that have no route yet, each once."""
        return list({id(path): path for path in paths if id(path) not in self._pending}.values())

    def enter(self, route: Route, task: int, decision: RelabelDecision | None) -> None:
        """Note a route of a path collected for `task`; decision: None for a path that was not offered."""
        self._pending[id(route.path)] = (route, set())
        if decision is not None:
            self.statistics.decided(decision, task)
        self._scorer.memory.collected(task, route.path)
        self._remember(route, task, whole=decision is None or not decision.per_transition)
        self._count_rewarded(route, task)

    def serve(self, role: str, paths: Sequence[PathDict]) -> list[Route]:
        """The routes of paths that the host adds to its `role` ("rl" or "encoder") buffer."""
        routes = {id(path): self._pending[id(path)][0] for path in paths}
        for key in routes:
            served = self._pending[key][1]
            served.add(role)
            if served == ROLES:
                del self._pending[key]
        return [routes[id(path)] for path in paths]

    def visited(self, task: int, paths: Sequence[PathDict], iteration: int) -> None:
        """Note paths that the host adds to the context of `task`."""
        for path in {id(path): path for path in paths}.values():
            self._scorer.memory.visited(task, self._scorer.context_of(path), iteration)

    def _remember(self, route: Route, task: int, whole: bool) -> None:
        """Note what was stored, as material for log Z; loose transitions are no trajectories."""
        stored = [(task, route.path)] if route.kept is route.path else []
        if whole:
            stored += route.relabeled
        for owner, path in stored:
            if owner in self._candidates:
                first = np.array(path["observations"][0])
                self._scorer.memory.add(owner, self._scorer.context_of(path), first)

    def _count_rewarded(self, route: Route, task: int) -> None:
        stored = [*([] if route.kept is None else [(task, route.kept)]), *route.relabeled]
        rewarded = self._scorer.rewarded_steps
        self.statistics.rewarded(
            rewarded(route.path, task), [rewarded(path, owner) for owner, path in stored]
        )
