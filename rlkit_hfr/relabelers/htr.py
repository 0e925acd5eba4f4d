"""Hindsight Task Relabelling (Packer, Abbeel and Gonzalez 2021, arXiv 2112.00901): a path goes to a task
that it did solve.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlkit_hfr.checks import number, one_of
from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler, sample_rows
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.state import State

EPISODES = ("single", "clustered")
THRESHOLD = "or set threshold to the reward that a step must exceed"


def earning_steps(
    path: PathDict, scorer: Scorer, threshold: float | None, tasks: Sequence[int] | None = None
) -> np.ndarray:
    """Which steps earn the sparse reward of each of the tasks (None: the candidates): (K, T) bool.

    threshold: of the rewards that the context sees; None: within the tolerance of the task's
    goal, whatever a step pays elsewhere (0 on a point robot, -1 on a Sawyer arm).
    """
    if threshold is None:
        return scorer.goal_distances(path, tasks) <= 1.0
    return scorer.context_rewards(path, tasks) > threshold


class HTRRelabeler(Relabeler):
    """Uniform over the training tasks under which the path earns sparse reward; a path that earns none
    stays."""

    name = "htr"
    needs_goals = True
    instead_of_goals = THRESHOLD

    def __init__(self, *, episodes: str = "single", threshold: float | None = None) -> None:
        """episodes: "single", every path by itself, or "clustered", as many paths of a visit as can be to
        one task, so that its context is consistent; threshold: as of `earning_steps`."""
        self.episodes = one_of("episodes", episodes, EPISODES)
        self.threshold = None if threshold is None else number("threshold", threshold)
        self.needs_goals = threshold is None
        self._used: dict[int, list[int]] = {}  # places of the tasks that paths of a visit went to, in order

    def begin_iteration(self, iteration: int) -> None:
        self._used.clear()

    def state_dict(self) -> State:
        return dict(used=[[task, list(places)] for task, places in self._used.items()])

    def load_state_dict(self, state: State) -> None:
        self._used = {task: list(places) for task, places in state["used"]}

    def decide(
        self, paths: Sequence[PathDict], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        tasks, unknown = scorer.candidate_tasks, np.full(len(scorer.candidate_tasks), np.nan)
        shares = np.stack(
            [
                (earning_steps(path, scorer, self.threshold) & scorer.episode(path)).mean(axis=1)
                for path in paths
            ]
        )
        own = np.eye(len(tasks))[[tasks.index(task) for task in source_tasks]]
        earned = shares > 0.0
        probs = np.where(earned.any(axis=1, keepdims=True), earned, own)
        if self.episodes == "clustered":
            for source in dict.fromkeys(source_tasks):
                rows = [i for i, task in enumerate(source_tasks) if task == source and earned[i].any()]
                probs[rows] = self._cluster(earned[rows], source, rng)
        probs = probs / probs.sum(axis=1, keepdims=True)
        return [
            RelabelDecision(tasks[k], p, s, unknown)
            for k, p, s in zip(sample_rows(probs, rng), probs, shares)
        ]

    def _cluster(self, earned: np.ndarray, source: int, rng: np.random.Generator) -> np.ndarray:
        """The one task of each path of a visit (N, K): one that the visit has been sent to before, if it
        rewards the path, or else one that rewards most of the paths that are left, and so on."""
        chosen = np.zeros(earned.shape)
        used = self._used.setdefault(source, [])
        left = np.ones(len(earned), bool)
        tried = 0
        while left.any():
            if tried == len(used):
                counts = earned[left].sum(axis=0)
                used.append(int(rng.choice(np.flatnonzero(counts == counts.max()))))
            place = used[tried]
            tried += 1
            chosen[left & earned[:, place], place] = 1.0
            left &= ~earned[:, place]
        return chosen
