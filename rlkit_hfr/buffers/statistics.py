"""The figures of relabeling between two rows of the log."""
from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from rlkit_hfr.distribution import entropy
from rlkit_hfr.relabelers.base import RelabelDecision


class _Moments:
    """Mean, standard deviation, minimum and maximum of the finite values seen, in constant memory."""

    def __init__(self) -> None:
        self.count, self.total, self.squares, self.low, self.high = 0, 0.0, 0.0, math.inf, -math.inf

    def add(self, values: np.ndarray | float) -> None:
        finite = np.atleast_1d(np.asarray(values, np.float64))
        finite = finite[np.isfinite(finite)]
        if finite.size:
            self.count += finite.size
            self.total, self.squares = self.total + float(finite.sum()), self.squares + float(np.square(finite).sum())
            self.low, self.high = min(self.low, float(finite.min())), max(self.high, float(finite.max()))

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else math.nan

    def columns(self, name: str) -> dict[str, float]:
        std = math.sqrt(max(0.0, self.squares / self.count - self.mean**2)) if self.count else math.nan
        low, high = (self.low, self.high) if self.count else (math.nan, math.nan)
        return {f"{name} Mean": self.mean, f"{name} Std": std, f"{name} Min": low, f"{name} Max": high}


class RelabelStatistics:
    """Figures of one row of the log. A row that was reported ends with the first path after it, so that asking twice gives the same twice.

    The keys and their order never change; what has no value is NaN.
    """

    def __init__(self) -> None:
        self._row_started = time.perf_counter()
        self._reported_at: float | None = None
        self._clear()

    def _clear(self) -> None:
        self._paths = self._offered = 0
        self._seconds = 0.0
        self._changed, self._entropies, self._effective, self._own_probs = (_Moments() for _ in range(4))
        self._utilities, self._log_partition = _Moments(), _Moments()

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
            self._row_started, self._reported_at = self._reported_at, None
            self._clear()
        self._paths += number

    def decided(self, decision: RelabelDecision, source: int, own_index: int) -> None:
        """Note a decision on a path of `source`, whose place among the candidate tasks is `own_index`."""
        self._offered += 1
        nats = float(entropy(torch.as_tensor(decision.probs)))
        self._changed.add(float(np.mean(np.asarray(decision.tasks) != source)))
        self._entropies.add(nats)
        self._effective.add(math.exp(nats))
        self._own_probs.add(float(decision.probs[own_index]))
        self._utilities.add(decision.utilities)
        self._log_partition.add(decision.log_partition)

    def columns(self) -> dict[str, float]:
        """The figures so far, by the names that docs/log-columns.md defines."""
        elapsed = (self._reported_at or time.perf_counter()) - self._row_started
        return {
            "relabel/paths seen": float(self._paths),
            "relabel/paths relabeled": float(self._offered),
            "relabel/share that changed task": self._changed.mean,
            "relabel/entropy": self._entropies.mean,
            "relabel/effective tasks": self._effective.mean,
            "relabel/probability of own task": self._own_probs.mean,
            **self._utilities.columns("relabel/utility"),
            **self._log_partition.columns("relabel/log Z"),
            "relabel/time (s)": self._seconds,
            "relabel/share of time": self._seconds / elapsed if elapsed > 0 else math.nan,
        }

    def report(self) -> dict[str, float]:
        """The columns of a row; the next path begins another."""
        if self._reported_at is None:
            self._reported_at = time.perf_counter()
        return self.columns()
