"""The figures of relabeling between two rows of the log."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from rlkit_hfr.distribution import entropy
from rlkit_hfr.relabelers.relabeler import RelabelDecision
from rlkit_hfr.relabelers.sampling import BatchScores


class _Moments:
    """Mean, standard deviation, minimum and maximum of the finite values seen, in constant memory."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.squares = 0.0
        self.low = math.inf
        self.high = -math.inf

    def add(self, values: np.ndarray | float) -> None:
        finite = np.atleast_1d(np.asarray(values, np.float64))
        finite = finite[np.isfinite(finite)]
        if finite.size:
            self.count += finite.size
            self.total += float(finite.sum())
            self.squares += float(np.square(finite).sum())
            self.low = min(self.low, float(finite.min()))
            self.high = max(self.high, float(finite.max()))

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else math.nan

    def columns(self, name: str) -> dict[str, float]:
        std = math.sqrt(max(0.0, self.squares / self.count - self.mean**2)) if self.count else math.nan
        low, high = (self.low, self.high) if self.count else (math.nan, math.nan)
        return {f"{name} Mean": self.mean, f"{name} Std": std, f"{name} Min": low, f"{name} Max": high}


class _TaskMeans:
    """The mean per task of the finite values among rows (K,)."""

    def __init__(self, number: int) -> None:
        self._totals = np.zeros(number)
        self._counts = np.zeros(number)

    def add(self, row: np.ndarray) -> None:
        finite = np.isfinite(row)
        self._totals += np.where(finite, row, 0.0)
        self._counts += finite

    def means(self) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return self._totals / self._counts


class RelabelStatistics:
    """Figures of one row of the log. A row that was reported ends with the first path
    after it, so that asking twice gives the same twice.

    The keys and their order never change; what has no value is NaN.
    """

    def __init__(self, tasks: Sequence[int]) -> None:
        """tasks: the K candidate tasks."""
        self._tasks = list(tasks)
        self._index = {task: k for k, task in enumerate(self._tasks)}
        self._row_started = time.perf_counter()
        self._reported_at: float | None = None
        self._clear()

    def _clear(self) -> None:
        number = len(self._tasks)
        self._paths = self._offered = self._sampled = 0
        self._seconds = 0.0
        self._changed = _Moments()
        self._entropies = _Moments()
        self._effective = _Moments()
        self._own_probs = _Moments()
        self._utilities = _Moments()
        self._log_partition = _Moments()
        self._other_reward = _Moments()
        self._rewarded_before = _Moments()
        self._rewarded_after = _Moments()
        self._reward_error = _Moments()
        self._source_to_new = np.zeros((number, number))
        self._task_utilities = _TaskMeans(number)
        self._task_log_partition = _TaskMeans(number)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time of the block as spent relabeling."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - started

    def paths_seen(self, number: int) -> None:
        if self._reported_at is not None:
            self._row_started = self._reported_at
            self._reported_at = None
            self._clear()
        self._paths += number

    def decided(self, decision: RelabelDecision, source: int) -> None:
        """Note a decision on a path of `source`, one of the candidate tasks."""
        self._offered += 1
        nats = float(entropy(torch.as_tensor(decision.probs)))
        own, new = self._index[source], np.atleast_1d(np.asarray(decision.tasks))
        self._changed.add(float(np.mean(new != source)))
        self._entropies.add(nats)
        self._effective.add(math.exp(nats))
        self._own_probs.add(float(decision.probs[own]))
        self._utilities.add(decision.utilities)
        self._log_partition.add(decision.log_partition)
        np.add.at(self._source_to_new[own], [self._index[task] for task in new.tolist()], 1.0 / len(new))
        self._task_utilities.add(decision.utilities)
        self._task_log_partition.add(decision.log_partition)

    def sampled(
        self,
        tasks: Sequence[int],
        sources: np.ndarray,
        new: np.ndarray,
        scores: BatchScores,
        offered: np.ndarray,
    ) -> None:
        """Note decisions on R sampled transitions of a batch of the N tasks. sources, new: (R,) places in
        `tasks`; offered: (R,) bool, those that the relabeler was asked about.
        """
        places = np.array([self._index[task] for task in tasks])
        probs, own, moved_to = scores.probs[offered], sources[offered], new[offered]
        nats = entropy(torch.as_tensor(probs)).numpy()
        self._sampled += len(own)
        self._changed.add((moved_to != own).astype(np.float64))
        self._entropies.add(nats)
        self._effective.add(np.exp(nats))
        self._own_probs.add(probs[np.arange(len(own)), own])
        self._utilities.add(scores.scores[offered])
        self._log_partition.add(scores.log_partition)
        np.add.at(self._source_to_new, (places[own], places[moved_to]), 1.0)

    def moved(self, other_reward: np.ndarray) -> None:
        """Note transitions that went to another task: whether its reward differs from that
        which was collected (T,).
        """
        self._other_reward.add(other_reward.astype(np.float64))

    def rewarded(self, collected: np.ndarray | None, stored: Sequence[np.ndarray | None]) -> None:
        """Note which steps of a path are rewarded, under the task it was collected for and
        in each path stored instead; None: unknown.
        """
        for moments, parts in ((self._rewarded_before, (collected,)), (self._rewarded_after, stored)):
            for part in parts:
                if part is not None:
                    moments.add(part.astype(np.float64))

    def reward_error(self, squared: np.ndarray) -> None:
        """Note squared errors of a learned reward on paths that it has not been trained on (T,)."""
        self._reward_error.add(squared)

    def columns(self) -> dict[str, float]:
        """The figures so far, by the names that docs/log-columns.md defines."""
        elapsed = (self._reported_at or time.perf_counter()) - self._row_started
        return {
            "relabel/paths seen": float(self._paths),
            "relabel/paths relabeled": float(self._offered),
            "relabel/sampled transitions relabeled": float(self._sampled),
            "relabel/share that changed task": self._changed.mean,
            "relabel/entropy": self._entropies.mean,
            "relabel/effective tasks": self._effective.mean,
            "relabel/probability of own task": self._own_probs.mean,
            **self._utilities.columns("relabel/utility"),
            **self._log_partition.columns("relabel/log Z"),
            "relabel/share of moved steps with another reward": self._other_reward.mean,
            "relabel/rewarded share as collected": self._rewarded_before.mean,
            "relabel/rewarded share as stored": self._rewarded_after.mean,
            "relabel/learned reward RMSE": math.sqrt(self._reward_error.mean),
            "relabel/time (s)": self._seconds,
            "relabel/share of time": self._seconds / elapsed if elapsed > 0 else math.nan,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What columns can't hold. tasks: (K,); source_to_new: (K, K) paths of each task
        that went to each task, loose transitions and paths with several tasks counting
        in parts; utility, log_partition: (K,) means, NaN where there are none.
        """
        means = dict(utility=self._task_utilities.means(), log_partition=self._task_log_partition.means())
        return dict(tasks=np.array(self._tasks), source_to_new=self._source_to_new.copy(), **means)

    def report(self) -> dict[str, float]:
        """The columns of a row; the next path begins another."""
        if self._reported_at is None:
            self._reported_at = time.perf_counter()
        return self.columns()
