"""The runs of one report, and how they are told apart and averaged in all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rlkit_hfr.experiments.analysis.logs import RunLog
from rlkit_hfr.experiments.analysis.looks import Look, looks
from rlkit_hfr.experiments.analysis.moves import moves_of
from rlkit_hfr.experiments.analysis.scores import (
    FEWEST_FOR_INTERVAL,
    FEWEST_FOR_TRIMMING,
    methods_of,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """last: evaluations that make up a final score. window: iterations that a point of
    a curve averages. statistic: "iqm" or "mean". moves: by environment and method, how
    many paths of each task went to each, (K, K).
    """

    runs: Sequence[RunLog]
    folders: Sequence[Path]
    last: int
    window: int
    statistic: str
    methods: list[str] = field(init=False)
    looks: dict[str, Look] = field(init=False)
    moves: dict[tuple[str, str], np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        methods = methods_of(self.runs, self.last, self.statistic)
        object.__setattr__(self, "methods", methods)
        object.__setattr__(self, "looks", looks(methods))
        object.__setattr__(self, "moves", moves_of(self.runs))

    @property
    def envs(self) -> list[str]:
        return sorted({run.env for run in self.runs})

    def group(self, env: str | None, method: str) -> list[RunLog]:
        """The runs of a method, on one environment or on all."""
        return [run for run in self.runs if run.method == method and env in (None, run.env)]

    def seeds(self, method: str) -> tuple[int, int]:
        """The fewest and the most runs of a method on an environment where it has any."""
        counts = [len(self.group(env, method)) for env in self.envs]
        counts = [count for count in counts if count]
        return min(counts), max(counts)

    def averaged(self) -> str:
        """What a line or a point is over seeds, in words."""
        if self.statistic == "mean":
            return "mean over seeds"
        return trimmed("over seeds", {method: self.seeds(method)[0] for method in self.methods})

    def spread(self) -> str:
        """What its interval is, in words, and who has none."""
        none = [method for method in self.methods if self.seeds(method)[0] < FEWEST_FOR_INTERVAL]
        if len(none) == len(self.methods):
            return f"no intervals: fewer than {FEWEST_FOR_INTERVAL} runs of each method"
        text = "95 % stratified bootstrap intervals"
        return f"{text} (none for {', '.join(none)}: under {FEWEST_FOR_INTERVAL} runs)" if none else text


def trimmed(over: str, counts: Mapping[str, int]) -> str:
    """What an interquartile mean is of so many scores of each method, in words."""
    few = [method for method, count in counts.items() if count < FEWEST_FOR_TRIMMING]
    if len(few) == len(counts):
        return f"mean {over}"
    who = f" (mean of {', '.join(few)}: under {FEWEST_FOR_TRIMMING} runs)" if few else ""
    return f"interquartile mean {over}{who}"


def pooled(matrices: Mapping[str, np.ndarray]) -> str:
    """The same of scores over seeds and environments."""
    counts = {method: scores.size for method, scores in matrices.items()}
    return trimmed("over seeds and environments", counts)
