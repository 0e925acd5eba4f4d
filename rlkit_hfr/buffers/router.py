"""One relabeling decision per path, for the RL and the encoder buffer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlkit_hfr.buffers.ledger import ROLES, RelabelingLedger, Route
from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.checks import one_of, share
from rlkit_hfr.paths import PathDict, path_length, take_steps
from rlkit_hfr.relabelers.decisions import check_decisions
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler
from rlkit_hfr.relabelers.sampling import SamplingRelabeler
from rlkit_hfr.rewards.hindsight import relabel_path, warn_unless_own_rewards
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.state import State, rng_state, set_rng_state

# relabel_into -> the one buffer that relabeled paths go to
RELABEL_INTO = {"both": None, "rl": "rl", "context": "encoder"}


class RelabelingRouter:
    """Decides where each path goes when the first buffer receives it; the second gets the same decision.

    An iteration lasts from the first path after an update of the networks to the next update.
    Nothing is relabeled before every training task has a path.
    """

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
        if not isinstance(keep_original, bool):
            raise ValueError(f"keep_original must be True or False, got {keep_original!r}")
        into = RELABEL_INTO[one_of("relabel_into", relabel_into, list(RELABEL_INTO))]
        self.relabeler = relabeler
        self.scorer = scorer
        self.ledger = RelabelingLedger(scorer, statistics)
        self.relabel_fraction = share("relabel_fraction", relabel_fraction)
        self.keep_original = keep_original
        self.relabeled_roles = ROLES if into is None else frozenset({into})
        self.iteration = 0
        self.training_requests = 0
        self._rng = rng
        self._index = {task: k for k, task in enumerate(scorer.candidate_tasks)}
        self._version: object = scorer.networks.version()
        self._warm = False
        self._last_pool_task: int | None = None
        self._rewards_checked = False

    @property
    def statistics(self) -> RelabelStatistics:
        return self.ledger.statistics

    def training_requested(self) -> None:
        """The host has drawn a training batch from the encoder buffer."""
        self.training_requests += 1

    def routes(self, role: str, task: int, paths: Sequence[PathDict]) -> list[Route]:
        """Where the paths go that the host adds to its `role` ("rl" or "encoder") buffer of `task`."""
        version = self.scorer.networks.version()
        if version != self._version:
            self._start_iteration(version)
        unknown = self.ledger.unknown(paths)
        if unknown:
            with self.statistics.timed():
                self._decide(task, unknown)
        routes = self.ledger.serve(role, paths)
        if role == "encoder":
            self.ledger.visited(task, paths, self.iteration)
        if role not in self.relabeled_roles:
            return [Route(path, path) for path in paths]
        if role == "encoder" and self.scorer.in_order:
            # loose steps are no sequence: an encoder that reads in order gets such paths as they were
            return [Route(route.path, route.path) if route.loose else route for route in routes]
        return routes

    def _start_iteration(self, version: object) -> None:
        self._version = version
        self.ledger.begin_iteration()
        self.scorer.refresh()
        self.iteration += 1
        self._last_pool_task = None
        self.relabeler.begin_iteration(self.iteration)

    def _may_relabel(self, task: int) -> bool:
        """Whether the initial pool is complete: every task has a path, and those of the
        task that came last have ended.
        """
        if not self._warm:
            memory, networks = self.scorer.memory, self.scorer.networks
            ready = memory.is_warm() and memory.has_recent_paths()
            self._warm = ready and networks.has_transitions(self.scorer.candidate_tasks)
            if not self._warm:
                self._last_pool_task = task
                return False
        if not self.scorer.can_reward:
            return False
        if self._last_pool_task is not None and task == self._last_pool_task:
            return False
        self._last_pool_task = None
        return task in self._index

    def _decide(self, task: int, paths: list[PathDict]) -> None:
        """Enter a route of every path into the ledger."""
        self.statistics.paths_seen(len(paths))
        offered: list[PathDict] = []
        if self._may_relabel(task) and not isinstance(self.relabeler, SamplingRelabeler):
            coins = self._rng.random(len(paths))
            offered = [path for path, coin in zip(paths, coins) if coin < self.relabel_fraction]
        decisions: list[RelabelDecision] = []
        if offered:
            self._check_rewards(offered[0], task)
            with self.scorer.networks.isolated():
                made = self.relabeler.decide(offered, [task] * len(offered), self.scorer, self._rng)
            decisions = check_decisions(made, offered, self._index, self.relabeler)
        self.statistics.reward_error(self.scorer.collected(paths, task))
        if self.scorer.can_reward:
            self.relabeler.observe(paths, self.scorer)
        decided = {id(path): decision for path, decision in zip(offered, decisions)}
        for path in paths:
            decision = decided.get(id(path))
            route = Route(path, path) if decision is None else self._route(path, task, decision)
            self.ledger.enter(route, task, decision)
        self.scorer.forget_rewards()

    def _check_rewards(self, path: PathDict, task: int) -> None:
        """Once: the hindsight rewards of a path's own task should be those that it recorded."""
        if self._rewards_checked or self.scorer.learns_rewards:
            return
        self._rewards_checked = True
        hindsight = self.scorer.task_rewards(path).rewards[self._index[task]]
        warn_unless_own_rewards(path, hindsight, [task] * path_length(path))

    def _route(self, path: PathDict, task: int, decision: RelabelDecision) -> Route:
        if isinstance(decision.tasks, np.ndarray):
            return self._route_transitions(path, task, decision.tasks)
        chosen = decision.tasks if isinstance(decision.tasks, tuple) else (decision.tasks,)
        others = [new for new in chosen if new != task]
        stays = self.keep_original or len(others) < len(chosen)
        return Route(
            path,
            path if stays else None,
            tuple((new, self._episode(path, new)) for new in others),
        )

    def _relabeled(self, path: PathDict, new: int, steps: np.ndarray) -> PathDict:
        """The path under another task; `steps` are those that move there."""
        relabeled = relabel_path(path, self.scorer.task_rewards(path), self._index[new])
        self.statistics.moved((relabeled["rewards"] != np.reshape(path["rewards"], (-1, 1)))[steps])
        return relabeled

    def _episode(self, path: PathDict, new: int) -> PathDict:
        """The path under another task, as far as an episode of that task goes."""
        steps = self.scorer.episode(path)[self._index[new]]
        relabeled = self._relabeled(path, new, steps)
        return relabeled if steps.all() else take_steps(relabeled, steps)

    def _route_transitions(self, path: PathDict, task: int, tasks: np.ndarray) -> Route:
        others = [(new, tasks == new) for new in np.unique(tasks).tolist() if new != task]
        moved = tuple((new, take_steps(self._relabeled(path, new, steps), steps)) for new, steps in others)
        stays = tasks == task
        loose = any(not steps.all() for _, steps in others)
        if self.keep_original or stays.all():
            return Route(path, path, moved, loose)
        return Route(path, take_steps(path, stays) if stays.any() else None, moved, loose)

    def state_dict(self) -> State:
        """What the next iteration depends on, between two iterations."""
        return dict(
            iteration=self.iteration,
            training_requests=self.training_requests,
            warm=self._warm,
            updated=self._version != self.scorer.networks.version(),
            last_pool_task=self._last_pool_task,
            rewards_checked=self._rewards_checked,
            rng=rng_state(self._rng),
            scorer=self.scorer.state_dict(),
            relabeler=self.relabeler.state_dict(),
        )

    def load_state_dict(self, state: State) -> None:
        self.iteration = state["iteration"]
        self.training_requests = state["training_requests"]
        self._version = None if state["updated"] else self.scorer.networks.version()
        self._last_pool_task = state["last_pool_task"]
        self._rewards_checked = state["rewards_checked"]
        set_rng_state(self._rng, state["rng"])
        self.scorer.load_state_dict(state["scorer"])
        self._warm = state["warm"] and self.scorer.memory.has_recent_paths()  # a checkpoint may lack them
        self.relabeler.load_state_dict(state["relabeler"])
