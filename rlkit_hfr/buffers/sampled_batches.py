"""Batches of several tasks that are relabeled among these tasks on their way from a host's RL buffer to its
training.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.buffers.transition_infos import TransitionInfos
from rlkit_hfr.paths import PathDict
from rlkit_hfr.protocols import Batch, Rows, TaskBuffer
from rlkit_hfr.relabelers.relabeler import sample_rows
from rlkit_hfr.relabelers.sampling import SamplingRelabeler
from rlkit_hfr.rewards.hindsight import warn_unless_own_rewards
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.state import State, rng_state, set_rng_state

_TRANSITION = ("observations", "actions", "rewards", "next_observations", "terminals")


class SampledBatches:
    """Draws the batches that a host is about to ask for, one for each task, and exchanges transitions
    between them.

    Each transition is offered by a coin. The relabeler gives an offered one to a task of the batch. The
    places that a task's offered transitions leave are taken by those that were given to it, drawn without
    replacement; where fewer came than left, the rest of the places keep what they had. So every task's
    batch keeps its size, and none has a transition twice.
    """

    def __init__(
        self,
        relabeler: SamplingRelabeler,
        scorer: Scorer,
        statistics: RelabelStatistics,
        rng: np.random.Generator,
        relabel_fraction: float,
    ) -> None:
        """relabel_fraction: chance that a transition is offered; at 0 no batch is touched."""
        self._relabeler = relabeler
        self._scorer = scorer
        self._statistics = statistics
        self._rng = rng
        self._share = relabel_fraction
        self._infos = TransitionInfos()
        self._candidates = set(scorer.candidate_tasks)
        self.requests = 0
        self._warned = self._checked = False

    def stored(self, path: PathDict) -> None:
        """A path that goes into the RL buffer."""
        if self._share > 0.0:
            self._infos.note(path)

    def serves(self, tasks: Sequence[int]) -> bool:
        """Whether batches of these tasks are relabeled."""
        self.requests += 1
        ready = self._scorer.memory.is_warm() and self._scorer.can_reward
        return self._share > 0.0 and self._candidates.issuperset(tasks) and ready

    def views(self, tasks: Sequence[int], hosts: Mapping[int, TaskBuffer]) -> dict[int, TaskBuffer]:
        """Stand-ins for the hosts' per-task buffers, for one request for `tasks`."""
        request = _Request(self, tasks, hosts)
        return {task: _View(request, task, host) if task in tasks else host for task, host in hosts.items()}

    def relabeled(self, tasks: Sequence[int], batches: Sequence[Batch]) -> Sequence[Batch]:
        """The batches, one of each of the tasks (which may repeat), with transitions exchanged."""
        if not all(isinstance(batch, dict) and set(batch) >= set(_TRANSITION) for batch in batches):
            return batches
        with self._statistics.timed():
            return self._exchanged(tasks, batches)

    def _exchanged(self, tasks: Sequence[int], batches: Sequence[Batch]) -> Sequence[Batch]:
        distinct = list(dict.fromkeys(tasks))
        sizes = [len(batch["rewards"]) for batch in batches]
        sources = np.repeat([distinct.index(task) for task in tasks], sizes)
        rows = {key: np.concatenate([_array(batch[key]) for batch in batches]) for key in _TRANSITION}
        known, infos = self._infos.of(rows)
        self._warn_unless(bool(known.any()))
        offered = known & (self._rng.random(len(known)) < self._share)
        if not offered.any():
            return batches
        path = _only({**rows, "env_infos": infos}, known)
        places = sources[known]
        with self._scorer.networks.isolated():
            scores = self._relabeler.score_batch(path, places, distinct, self._scorer)
        new = np.where(offered[known], sample_rows(scores.probs, self._rng), places)
        self._statistics.sampled(distinct, places, new, scores, offered[known])
        taken, given = self._refill(sources, offered, known, new)
        rewards = self._scorer.hindsight_rewards(path, distinct)
        if not self._checked and not self._scorer.learns_rewards:
            self._checked = True
            own = rewards.rewards[places, np.arange(len(places))]
            warn_unless_own_rewards(path, own, [distinct[place] for place in places])
        column = np.searchsorted(np.flatnonzero(known), given)
        paid = np.reshape(rows["rewards"], -1)[given]
        self._statistics.moved(rewards.rewards[sources[taken], column] != paid)
        return _with(batches, sizes, taken, given, column, sources[taken], rewards)

    def _refill(
        self, sources: np.ndarray, offered: np.ndarray, known: np.ndarray, new: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places (M,) that are taken, and the transitions (M,) given to them, each with the task of its
        place."""
        assigned = sources.copy()
        assigned[known] = new
        taken, given = [], []
        for task in np.unique(sources):
            left = np.flatnonzero(offered & (sources == task) & (assigned != task))
            came = np.flatnonzero(offered & (sources != task) & (assigned == task))
            number = min(len(left), len(came))
            taken.append(self._rng.permutation(left)[:number])
            given.append(self._rng.permutation(came)[:number])
        return np.concatenate(taken), np.concatenate(given)

    def _warn_unless(self, known: bool) -> None:
        if not known and not self._warned:
            self._warned = True
            warnings.warn(
                "the host's RL buffer gives back no transition as it was stored, so that what was recorded of"
                " it is not found and nothing is relabeled; choose a relabeler of paths, such as 'hipi'",
                stacklevel=2,
            )

    def state_dict(self) -> State:
        return dict(rng=rng_state(self._rng), infos=self._infos.state_dict(), requests=self.requests)

    def load_state_dict(self, state: State) -> None:
        set_rng_state(self._rng, state["rng"])
        self._infos.load_state_dict(state["infos"])
        self.requests = state["requests"]


class _Request:
    """A host's request for several tasks: their batches are drawn together, in the order of the tasks, when
    it asks for the first."""

    def __init__(self, owner: SampledBatches, tasks: Sequence[int], hosts: Mapping[int, TaskBuffer]) -> None:
        self._owner = owner
        self._tasks = list(tasks)
        self._hosts = hosts
        self._waiting: list[tuple[int, Batch]] = []

    def batch(self, task: int, size: int, args: tuple[object, ...], options: dict[str, object]) -> Batch:
        if not any(waiting == task for waiting, _ in self._waiting):
            drawn = [self._hosts[each].random_batch(size, *args, **options) for each in self._tasks]
            relabeled = self._owner.relabeled(self._tasks, drawn)
            self._waiting = list(zip(self._tasks, relabeled))
        place = next(i for i, (waiting, _) in enumerate(self._waiting) if waiting == task)
        return self._waiting.pop(place)[1]


class _View:
    """Stands in for a task's host buffer while a request is served; all but batches is the host's."""

    def __init__(self, request: _Request, task: int, host: TaskBuffer) -> None:
        self._request = request
        self._task = task
        self._host = host

    def random_batch(self, batch_size: int, *args: object, **options: object) -> Batch:
        return self._request.batch(self._task, batch_size, args, options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)


def _array(value: Rows) -> np.ndarray:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def _only(path: PathDict, known: np.ndarray) -> PathDict:
    """The rows of a path, and of its infos, that are known."""
    infos = {key: value[known] for key, value in path["env_infos"].items()}
    return {**{key: path[key][known] for key in _TRANSITION}, "env_infos": infos}


def _with(
    batches: Sequence[Batch],
    sizes: list[int],
    taken: np.ndarray,
    given: np.ndarray,
    column: np.ndarray,
    tasks: np.ndarray,
    rewards: TaskRewards,
) -> Sequence[Batch]:
    """New batches in which the transitions `given` (M,) stand at the places `taken` (M,), with the rewards of
    the places' tasks. tasks, column: (M,) the rows and columns of `rewards` where these are."""
    order = np.arange(sum(sizes))
    order[taken] = given
    values = {"rewards": rewards.rewards, "terminals": rewards.terminals}
    if rewards.sparse_rewards is not None:
        values["sparse_rewards"] = rewards.sparse_rewards
    ends = np.cumsum(sizes)
    parts: list[dict[str, Rows]] = [dict(batch) for batch in batches]
    for key, first in batches[0].items():
        if not isinstance(first, (np.ndarray, torch.Tensor)) or not first.ndim or len(first) != sizes[0]:
            continue
        rows: list[Any] = [batch[key] for batch in batches]  # all arrays or all tensors
        joined: Any = (np.concatenate if isinstance(first, np.ndarray) else torch.cat)(rows)[order]
        if key in values:
            under_new = values[key][tasks, column].reshape(len(taken), *[1] * (joined.ndim - 1))
            joined[taken] = (
                under_new if isinstance(first, np.ndarray) else torch.as_tensor(under_new).to(joined)
            )
        for part, end, size in zip(parts, ends, sizes):
            part[key] = joined[end - size : end]
    return parts
