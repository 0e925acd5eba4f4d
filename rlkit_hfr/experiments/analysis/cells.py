"""Cells of a report's tables: numbers as texts, estimates with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from rlkit_hfr.experiments.analysis.scores import interval


@dataclass(frozen=True)
class Table:
    """rows: as many texts as `header` has; note: how to read it."""

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""


class Bounds(TypedDict):
    """A mean over runs and its interval; NaN where there is none."""

    centre: float
    low: float
    high: float


class Estimated(Bounds):
    """runs: how many had a value."""

    runs: int


def estimated(values: Sequence[float], statistic: str) -> Estimated:
    """The statistic over runs; values that are not finite don't count."""
    known = np.array([value for value in values if np.isfinite(value)])
    if not known.size:
        return Estimated(centre=np.nan, low=np.nan, high=np.nan, runs=0)
    centre, low, high = interval(known[:, None], statistic)
    return Estimated(
        centre=centre[0],
        low=np.nan if low is None else low[0],
        high=np.nan if high is None else high[0],
        runs=len(known),
    )


def number(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 1000 else f"{value:,.0f}"


def cell(estimate: Bounds) -> str:
    text = number(estimate["centre"])
    if not np.isfinite(estimate["low"]):
        return text
    return f"{text} [{number(estimate['low'])}, {number(estimate['high'])}]"
