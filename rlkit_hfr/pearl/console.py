"""What a person sees while a run goes on: progress bars on stderr, a line per iteration
on stdout.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

from rlkit_hfr.pearl.callbacks import Callback
from rlkit_hfr.pearl.logger import LogRow, logger

if TYPE_CHECKING:
    from rlkit_hfr.pearl.meta_algorithm import MetaRLAlgorithm

T = TypeVar("T")


class Console(Callback):
    """Shows a training: a line when it begins, a line per iteration, and progress bars
    where stderr is a terminal.
    """

    def __init__(self) -> None:
        self.num_iterations = self.finished = self._before = 0
        self._result = ""
        self._started = time.monotonic()

    def on_start(self, algorithm: MetaRLAlgorithm) -> None:
        self.num_iterations = algorithm.num_iterations
        self.finished = self._before = algorithm.iterations_done
        self._started = time.monotonic()
        folder = logger.get_snapshot_dir()
        if folder is not None:
            print(f"Log: {folder}", flush=True)

    def progress(self, items: Iterable[T], phase: str) -> Iterable[T]:
        """A bar over one phase of an iteration, only where stderr is a terminal."""
        label = f"{self.finished + 1}/{self.num_iterations} {phase}{self._result}"
        return tqdm(items, desc=label, leave=False, disable=None, dynamic_ncols=True)

    def on_iteration(self, algorithm: MetaRLAlgorithm, row: LogRow) -> None:
        """Report a row of progress.csv, in a line that fits 80 columns."""
        self.finished += 1
        figures = [f"return {_brief(row['AverageReturn_all_test_tasks'])}"]
        success = row["SuccessRate_all_test_tasks"]
        if not math.isnan(success):
            figures.append(f"success {success:.0%}")
        self._result = f" ({figures[-1]})"
        offered = row.get("relabel/paths relabeled", math.nan)
        offered += row.get("relabel/sampled transitions relabeled", 0.0)
        if offered > 0:
            share = row["relabel/share that changed task"]
            moved = f"{share * offered:.0f}/{offered:.0f}" if offered < 1000 else f"{share:.0%}"
            figures.append(f"moved {moved}")
        left = (
            (time.monotonic() - self._started)
            / (self.finished - self._before)
            * (self.num_iterations - self.finished)
        )
        steps = f"{_count(row['Number of env steps total'])} steps"
        count = f"{self.finished}/{self.num_iterations}"
        print("  ".join([count, steps, *figures, f"{duration(left)} left"]), flush=True)


def _count(number: float) -> str:
    return f"{number:,.0f}" if number < 1e8 else f"{number / 1e6:,.0f}M"


def _brief(number: float) -> str:
    """At most eight characters, whatever the reward's scale."""
    if math.isfinite(number) and abs(number) >= 1e6:
        return f"{number:.1e}"
    return f"{number:.2f}" if abs(number) < 10 else f"{number:.1f}"


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
