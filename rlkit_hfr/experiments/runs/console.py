"""What a person sees while a run goes on: progress bars on stderr, a line per iteration
on stdout.
"""
from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

from tqdm import tqdm


class Console:
    """Follows one run of `num_iterations`."""

    def __init__(self, num_iterations: int) -> None:
        self.num_iterations = num_iterations
        self.finished = 0
        self._result = ""
        self._before = 0
        self._started = time.monotonic()

    def resumed(self, finished: int) -> None:
        """The run goes on after `finished` iterations."""
        self.finished = self._before = finished

    def progress(self, items: Sequence[Any], phase: str) -> Iterable[Any]:
        """A bar over one phase of an iteration, only where stderr is a terminal."""
        label = f"{self.finished + 1}/{self.num_iterations} {phase}{self._result}"
        return tqdm(items, desc=label, leave=False, disable=None, dynamic_ncols=True)

    def iteration_done(self, row: dict[str, Any]) -> None:
        """Report a row of progress.csv."""
        self.finished += 1
        figures = [f"test return {row['AverageReturn_all_test_tasks']:.2f}"]
        success = row["SuccessRate_all_test_tasks"]
        if not math.isnan(success):
            figures.append(f"success {success:.0%}")
        self._result = f" ({figures[-1]})"
        offered, seen = row.get("relabel/paths relabeled", math.nan), row.get("relabel/paths seen", math.nan)
        if offered > 0:
            changed, effective = row["relabel/share that changed task"], row["relabel/effective tasks"]
            figures.append(
                f"relabeled {offered:.0f} of {seen:.0f} paths, {changed:.0%} to another task, "
                f"{effective:.1f} effective tasks"
            )
        left = (
            (time.monotonic() - self._started)
            / (self.finished - self._before)
            * (self.num_iterations - self.finished)
        )
        steps = f"{row['Number of env steps total']:,} steps"
        print(
            " | ".join(
                [
                    f"iteration {self.finished}/{self.num_iterations}",
                    steps,
                    *figures,
                    f"{duration(left)} left",
                ]
            ),
            flush=True,
        )


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
