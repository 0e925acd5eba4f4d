"""The figures of relabeling between two rows of the log."""
from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from rlkit_hfr.distribution import entropy
from rlkit_hfr.relabelers.base import RelabelDecision


class RelabelStatistics:
    """Accumulates until `flush`. The keys and their order never change; what has no value is NaN."""

    def __init__(self) -> None:
        self._row_started = time.perf_counter()
        self._clear()

    def _clear(self) -> None:
        self._paths = self._offered = 0
        self._seconds = 0.0
        self._changed: list[float] = []
        self._decisions: list[RelabelDecision] = []
        self._own_probs: list[float] = []

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time of the block as spent relabeling."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - started

    def paths_seen(self, number: int) -> None:
        self._paths += number

    def decided(self, decision: RelabelDecision, source: int, own_index: int) -> None:
        """Note a decision on a path of `source`, whose place among the candidate tasks is `own_index`."""
        self._offered += 1
        self._changed.append(float(np.mean(np.asarray(decision.tasks) != source)))
        self._decisions.append(decision)
        self._own_probs.append(float(decision.probs[own_index]))

    def columns(self) -> dict[str, float]:
        """The figures so far, by the names that docs/log-columns.md defines."""
        entropies = np.array([float(entropy(torch.as_tensor(d.probs))) for d in self._decisions])
        elapsed = time.perf_counter() - self._row_started
        columns = {
            "relabel/paths seen": float(self._paths),
            "relabel/paths relabeled": float(self._offered),
            "relabel/share that changed task": _mean(self._changed),
            "relabel/entropy": _mean(entropies),
            "relabel/effective tasks": _mean(np.exp(entropies)),
            "relabel/probability of own task": _mean(self._own_probs),
        }
        for name, arrays in (
            ("utility", [d.utilities for d in self._decisions]),
            ("log Z", [d.log_partition for d in self._decisions]),
        ):
            values = np.concatenate(arrays) if arrays else np.empty(0)
            values = values[np.isfinite(values)]
            for statistic, function in (("Mean", np.mean), ("Std", np.std), ("Min", np.min), ("Max", np.max)):
                columns[f"relabel/{name} {statistic}"] = float(function(values)) if values.size else float("nan")
        columns["relabel/time (s)"] = self._seconds
        columns["relabel/share of time"] = self._seconds / elapsed if elapsed > 0 else float("nan")
        return columns

    def flush(self) -> dict[str, float]:
        """The columns of one row; the next row starts from nothing."""
        columns = self.columns()
        self._clear()
        self._row_started = time.perf_counter()
        return columns


def _mean(values: list[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
