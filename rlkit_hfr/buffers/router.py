"""One relabeling decision per path, shared by the RL and the encoder buffer."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.paths import Path, take_steps
from rlkit_hfr.relabelers.base import RelabelDecision, Relabeler
from rlkit_hfr.relabelers.scorer import Scorer
from rlkit_hfr.rewards import relabel_path


class Route(NamedTuple):
    """path: as collected; kept: what training keeps under its own task (the path, some of its steps, or None); relabeled: pairs of
    another task and the path, or some of its steps, with that task's rewards."""

    path: Path
    kept: Path | None
    relabeled: tuple[tuple[int, Path], ...] = ()


class RelabelingRouter:
    """Decides where each path goes when the first buffer receives it, and tells the same to the second.

    An iteration lasts from the first path after an update of the networks to the next update. Decisions are paired by the identity of
    the path, whichever buffer comes first; one that its second buffer never asks for is dropped with the iteration. Nothing is relabeled
    before every training task has a path.
    """

    ROLES = frozenset({"rl", "encoder"})

    def __init__(
        self,
        relabeler: Relabeler,
        scorer: Scorer,
        statistics: RelabelStatistics,
        rng: np.random.Generator,
        relabel_fraction: float = 0.5,
        keep_original: bool = False,
    ) -> None:
        if not isinstance(relabel_fraction, (int, float)) or not 0.0 <= relabel_fraction <= 1.0:
            raise ValueError(f"relabel_fraction must be between 0 and 1, got {relabel_fraction!r}")
        self.relabeler, self.scorer, self.statistics = relabeler, scorer, statistics
        self.relabel_fraction, self.keep_original = float(relabel_fraction), keep_original
        self.iteration = 0
        self._rng = rng
        self._index = {task: k for k, task in enumerate(scorer.candidate_tasks)}
        self._updated = False
        self._pending: dict[int, tuple[Route, set[str]]] = {}

    def networks_updated(self) -> None:
        """The host has asked for training data: what comes next is a new iteration, scored by new networks."""
        self._updated = True

    def routes(self, role: str, task: int, paths: Sequence[Path]) -> list[Route]:
        """Where the paths go that the host adds to its `role` ("rl" or "encoder") buffer of `task`."""
        if self._updated:
            self._start_iteration()
        unknown = [path for path in paths if id(path) not in self._pending]
        if unknown:
            with self.statistics.timed():
                for route in self._decide(task, unknown):
                    self._pending[id(route.path)] = (route, set())
        return [self._take(role, path) for path in paths]

    def _start_iteration(self) -> None:
        self._updated = False
        self._pending.clear()
        self.scorer.refresh()
        self.iteration += 1

    def _take(self, role: str, path: Path) -> Route:
        route, served = self._pending[id(path)]
        served.add(role)
        if served == self.ROLES:
            del self._pending[id(path)]
        return route

    def _decide(self, task: int, paths: list[Path]) -> list[Route]:
        self.statistics.paths_seen(len(paths))
        offered: list[Path] = []
        if self.scorer.memory.is_warm() and task in self._index:
            offered = [path for path, coin in zip(paths, self._rng.random(len(paths)), strict=True) if coin < self.relabel_fraction]
        decisions: list[RelabelDecision] = []
        if offered:
            with self.scorer.networks.isolated():
                decisions = self.relabeler.decide(offered, [task] * len(offered), self.scorer, self._rng)
        self.relabeler.observe(paths, self.scorer)
        decided = {id(path): decision for path, decision in zip(offered, decisions, strict=True)}
        routes = []
        for path in paths:
            decision = decided.get(id(path))
            if decision is None:
                route = Route(path, path)
            else:
                self.statistics.decided(decision, task, self._index[task])
                route = self._route(path, task, decision)
            self._remember(route, task, whole=decision is None or np.ndim(decision.tasks) == 0)
            routes.append(route)
        return routes

    def _route(self, path: Path, task: int, decision: RelabelDecision) -> Route:
        if np.ndim(decision.tasks) == 0:
            if decision.tasks == task:
                return Route(path, path)
            new = relabel_path(path, self.scorer.task_rewards(path), self._index[decision.tasks])  # type: ignore[index]
            return Route(path, path if self.keep_original else None, ((decision.tasks, new),))  # type: ignore[arg-type]
        return self._route_transitions(path, task, np.asarray(decision.tasks))

    def _route_transitions(self, path: Path, task: int, tasks: np.ndarray) -> Route:
        rewards = self.scorer.task_rewards(path)
        moved = tuple(
            (new, take_steps(relabel_path(path, rewards, self._index[new]), tasks == new)) for new in np.unique(tasks).tolist() if new != task
        )
        stays = tasks == task
        if self.keep_original or stays.all():
            return Route(path, path, moved)
        return Route(path, take_steps(path, stays) if stays.any() else None, moved)

    def _remember(self, route: Route, task: int, whole: bool) -> None:
        """Note what was stored, as material for partition functions; loose transitions are no trajectories."""
        stored: list[tuple[Any, Path | None]] = [(task, route.kept if route.kept is route.path else None)]
        if whole:
            stored += route.relabeled
        for owner, path in stored:
            if path is not None and owner in self._index:
                self.scorer.memory.add(owner, self.scorer.context_of(path), np.array(path["observations"][0]))
