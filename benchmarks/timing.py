"""The clock that the benchmarks share."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall-clock seconds of one call of `work`."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def alternating_seconds(sides: Mapping[str, Callable[[], int | None]], repeats: int) -> dict[str, float]:
    """Median wall-clock seconds of each side, in alternation and after one call of each
    that does not count; for a side that returns how much it has done, seconds for one
    of it.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    for work in sides.values():
        work()
    for _ in range(repeats):
        for name, work in sides.items():
            started = time.perf_counter()
            done = work()
            times[name].append((time.perf_counter() - started) / (1 if done is None else done))
    return {name: statistics.median(values) for name, values in times.items()}
