"""One relabeling decision per path, shared by the RL and the encoder buffer."""
from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.paths import PathDict, take_steps
from rlkit_hfr.relabelers.decisions import check_decisions
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler
from rlkit_hfr.rewards.hindsight import relabel_path
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.state import State, rng_state, set_rng_state


class Route(NamedTuple):
    """path: as collected; kept: what training keeps under its own task (the path, some of its steps, or None); relabeled: pairs of
    another task and the path, or some of its steps, with that task's rewards."""

    path: PathDict
    kept: PathDict | None
    relabeled: tuple[tuple[int, PathDict], ...] = ()


# relabel_into -> the one buffer that relabeled paths go to
RELABEL_INTO = {"both": None, "rl": "rl", "context": "encoder"}


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
        relabel_into: str = "both",
    ) -> None:
        if relabel_into not in RELABEL_INTO:
            raise ValueError(f"relabel_into must be one of {', '.join(RELABEL_INTO)}, got {relabel_into!r}")
        if isinstance(relabel_fraction, bool) or not isinstance(relabel_fraction, (int, float)) or not 0.0 <= relabel_fraction <= 1.0:
            raise ValueError(f"relabel_fraction must be between 0 and 1, got {relabel_fraction!r}")
        if not isinstance(keep_original, bool):
            raise ValueError(f"keep_original must be True or False, got {keep_original!r}")
        self.relabeler, self.scorer, self.statistics = relabeler, scorer, statistics
        self.relabel_fraction, self.keep_original = float(relabel_fraction), keep_original
        self.relabeled_roles = self.ROLES if relabel_into == "both" else frozenset({RELABEL_INTO[relabel_into]})
        self.iteration = 0
        self._rng = rng
        self._index = {task: k for k, task in enumerate(scorer.candidate_tasks)}
        self.training_requests = 0
        self._version: Any = scorer.networks.version()
        self._pending: dict[int, tuple[Route, set[str]]] = {}
        self._warm = False
        self._last_pool_task: Any = None
        self._rewards_checked = False

    def training_requested(self) -> None:
        """The host has drawn a training batch from the encoder buffer."""
        self.training_requests += 1

    def routes(self, role: str, task: int, paths: Sequence[PathDict]) -> list[Route]:
        """Where the paths go that the host adds to its `role` ("rl" or "encoder") buffer of `task`."""
        version = self.scorer.networks.version()
        if version != self._version:
            self._start_iteration(version)
        unknown = list({id(path): path for path in paths if id(path) not in self._pending}.values())
        if unknown:
            with self.statistics.timed():
                for route in self._decide(task, unknown):
                    self._pending[id(route.path)] = (route, set())
        routes = {id(path): self._pending[id(path)][0] for path in paths}
        for key, route in routes.items():
            if role == "encoder":
                self.scorer.memory.visited(task, self.scorer.context_of(route.path), self.iteration)
            self._serve(role, key)
        if role not in self.relabeled_roles:
            return [Route(path, path) for path in paths]
        return [routes[id(path)] for path in paths]

    def _start_iteration(self, version: Any) -> None:
        self._version = version
        self._pending.clear()
        self.scorer.refresh()
        self.iteration += 1
        self._last_pool_task = None
        self.relabeler.begin_iteration(self.iteration)

    def _serve(self, role: str, key: int) -> None:
        served = self._pending[key][1]
        served.add(role)
        if served == self.ROLES:
            del self._pending[key]

    def _may_relabel(self, task: int) -> bool:
        """Whether the initial pool is complete: every task has a path, and those of the task that came last have ended."""
        if not self._warm:
            self._warm = self.scorer.memory.is_warm() and self.scorer.networks.has_transitions(self.scorer.candidate_tasks)
            if not self._warm:
                self._last_pool_task = task
                return False
        if self._last_pool_task is not None and task == self._last_pool_task:
            return False
        self._last_pool_task = None
        return task in self._index

    def _decide(self, task: int, paths: list[PathDict]) -> list[Route]:
        self.statistics.paths_seen(len(paths))
        offered: list[PathDict] = []
        if self._may_relabel(task):
            offered = [path for path, coin in zip(paths, self._rng.random(len(paths)), strict=True) if coin < self.relabel_fraction]
        decisions: list[RelabelDecision] = []
        if offered:
            self._check_rewards(offered[0], task)
            with self.scorer.networks.isolated():
                made = self.relabeler.decide(offered, [task] * len(offered), self.scorer, self._rng)
            decisions = check_decisions(made, offered, self._index, self.relabeler)
        self.statistics.reward_error(self.scorer.collected(paths, task))
        self.relabeler.observe(paths, self.scorer)
        decided = {id(path): decision for path, decision in zip(offered, decisions, strict=True)}
        routes = []
        for path in paths:
            decision = decided.get(id(path))
            if decision is None:
                route = Route(path, path)
            else:
                self.statistics.decided(decision, task)
                route = self._route(path, task, decision)
            self.scorer.memory.collected(task, path)
            self._remember(route, task, whole=decision is None or not decision.per_transition)
            self._note_rewarded(route, task)
            routes.append(route)
        self.scorer.forget_rewards()
        return routes

    def _note_rewarded(self, route: Route, task: int) -> None:
        stored = [*([] if route.kept is None else [(task, route.kept)]), *route.relabeled]
        rewarded = self.scorer.rewarded_steps
        self.statistics.rewarded(rewarded(route.path, task), [rewarded(path, owner) for owner, path in stored])

    def _check_rewards(self, path: PathDict, task: int) -> None:
        """Once: the hindsight rewards of a path's own task should be those that it recorded."""
        if self._rewards_checked or self.scorer.learns_rewards:
            return
        self._rewards_checked = True
        recorded = np.asarray(path["rewards"], np.float64).reshape(-1)
        hindsight = self.scorer.task_rewards(path).rewards[self._index[task]]
        wrong = np.flatnonzero(~np.isclose(recorded, hindsight, rtol=1e-3, atol=1e-3))
        if wrong.size:
            t = int(wrong[0])
            warnings.warn(
                f"hindsight rewards do not give back what a path of task {task} recorded: step {t} was paid {recorded[t]:.6g}, hindsight says "
                f"{hindsight[t]:.6g}; relabeled and original data will disagree. A wrapper may rescale rewards or observations; pass rewards= "
                "that does the same",
                stacklevel=2,
            )

    def _route(self, path: PathDict, task: int, decision: RelabelDecision) -> Route:
        if decision.per_transition:
            return self._route_transitions(path, task, np.asarray(decision.tasks))
        chosen: tuple[Any, ...] = decision.tasks if isinstance(decision.tasks, tuple) else (decision.tasks,)
        others = [new for new in chosen if new != task]
        stays = self.keep_original or len(others) < len(chosen)
        return Route(path, path if stays else None, tuple((new, self._relabeled(path, new, slice(None))) for new in others))

    def _relabeled(self, path: PathDict, new: Any, steps: Any) -> dict[str, Any]:
        """The path under another task; `steps` are those that move there."""
        relabeled = relabel_path(path, self.scorer.task_rewards(path), self._index[new])
        self.statistics.moved((relabeled["rewards"] != np.reshape(path["rewards"], (-1, 1)))[steps])
        return relabeled

    def _route_transitions(self, path: PathDict, task: int, tasks: np.ndarray) -> Route:
        others = [(new, tasks == new) for new in np.unique(tasks).tolist() if new != task]
        moved = tuple((new, take_steps(self._relabeled(path, new, steps), steps)) for new, steps in others)
        stays = tasks == task
        if self.keep_original or stays.all():
            return Route(path, path, moved)
        return Route(path, take_steps(path, stays) if stays.any() else None, moved)

    def _remember(self, route: Route, task: int, whole: bool) -> None:
        """Note what was stored, as material for partition functions; loose transitions are no trajectories."""
        stored: list[tuple[Any, PathDict | None]] = [(task, route.kept if route.kept is route.path else None)]
        if whole:
            stored += route.relabeled
        for owner, path in stored:
            if path is not None and owner in self._index:
                self.scorer.memory.add(owner, self.scorer.context_of(path), np.array(path["observations"][0]))

    def state_dict(self) -> State:
        """What the next iteration depends on, between two iterations."""
        return dict(
            iteration=self.iteration, training_requests=self.training_requests, warm=self._warm,
            updated=self._version != self.scorer.networks.version(),
            last_pool_task=self._last_pool_task, rewards_checked=self._rewards_checked, rng=rng_state(self._rng),
            scorer=self.scorer.state_dict(), relabeler=self.relabeler.state_dict(),
        )  # fmt: skip

    def load_state_dict(self, state: State) -> None:
        self.iteration, self.training_requests = state["iteration"], state["training_requests"]
        self._version = None if state["updated"] else self.scorer.networks.version()
        self._warm, self._last_pool_task, self._rewards_checked = state["warm"], state["last_pool_task"], state["rewards_checked"]
        set_rng_state(self._rng, state["rng"])
        self.scorer.load_state_dict(state["scorer"])
        self.relabeler.load_state_dict(state["relabeler"])
