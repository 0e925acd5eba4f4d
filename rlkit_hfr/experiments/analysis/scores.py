"""Statistics over seeds and environments: interquartile means with stratified bootstrap
intervals (Agarwal et al. 2021, by rliable).
"""
from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlkit_hfr.experiments.analysis.logs import RunLog

REPETITIONS = 2000
GRID = 60


@dataclass(frozen=True, eq=False)
class Curve:
    """steps, centre: (n,); low, high: (n,) of the 95 % interval, or None for one seed;
    seeds: how many.
    """

    steps: np.ndarray
    centre: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    seeds: int


def methods_of(runs: Sequence[RunLog]) -> list[str]:
    """Names in a fixed order: "none" first, then by the alphabet."""
    return sorted({run.method for run in runs}, key=lambda name: (not name.startswith("none"), name))


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """The mean over the last `window` epochs, fewer at the beginning, without NaN."""
    return np.array([_mean(values[max(0, i - window + 1) : i + 1]) for i in range(len(values))])


def final_score(run: RunLog, column: str, last: int) -> float:
    """The mean of a column over the last epochs."""
    return _mean(run.table[column].to_numpy()[-last:])


def _mean(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else float("nan")


def curve(runs: Sequence[RunLog], column: str, window: int, statistic: str = "iqm") -> Curve | None:
    """A column over environment steps, on the steps that all runs of one method and
    environment have; None without any value.
    """
    usable = [run for run in runs if run.table[column].notna().any()]
    if not usable:
        return None
    lines = [
        (run.table["steps"].to_numpy(), smoothed(run.table[column].to_numpy(), window)) for run in usable
    ]
    first, last = max(steps[0] for steps, _ in lines), min(steps[-1] for steps, _ in lines)
    if last < first:
        return None  # they have no steps in common
    grid = np.linspace(first, last, GRID)
    values = np.stack(
        [np.interp(grid, steps[np.isfinite(line)], line[np.isfinite(line)]) for steps, line in lines]
    )
    centre, low, high = interval(values, statistic)
    return Curve(grid, centre, low, high, len(usable))


def interval(
    values: np.ndarray, statistic: str = "iqm"
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """values: (seeds, n).

    The interquartile mean or mean over seeds, and its 95 % bootstrap interval; None for
    one seed.
    """
    from scipy import stats

    def centre(sample: np.ndarray) -> np.ndarray:
        return stats.trim_mean(sample, 0.25, axis=0) if statistic == "iqm" else sample.mean(axis=0)

    if len(values) == 1:
        return centre(values), None, None
    _, intervals = _bootstrap({"": values[:, None]}, lambda sample: centre(sample[:, 0]), REPETITIONS // 5)
    return centre(values), *intervals[""]


def score_matrices(runs: Sequence[RunLog], last: int) -> tuple[dict[str, np.ndarray], str]:
    """Final scores (seeds, environments) in [0, 1] of every method that has all
    environments, and in words what they are.

    Success rates where every run has them; otherwise returns, scaled by the lowest and
    highest final return on each environment. Methods with unequal numbers of seeds are
    cut to the fewest that they have on an environment.
    """
    envs = sorted({run.env for run in runs})
    column = (
        "test success"
        if all(np.isfinite(final_score(run, "test success", last)) for run in runs)
        else "test return"
    )
    scaled: dict[tuple[str, str], list[float]] = {}
    for env in envs:
        here = [run for run in runs if run.env == env]
        scores = np.array([final_score(run, column, last) for run in here])
        low, high = (0.0, 1.0) if column == "test success" else (np.nanmin(scores), np.nanmax(scores))
        for run, score in zip(here, (scores - low) / max(high - low, 1e-12), strict=True):
            scaled.setdefault((run.method, env), []).append(float(score))
    matrices = {}
    for method in methods_of(runs):
        columns = [scaled.get((method, env), []) for env in envs]
        seeds = min(map(len, columns))
        if seeds:
            matrices[method] = np.array([values[:seeds] for values in columns]).T
    words = (
        "success rate"
        if column == "test success"
        else "test return, scaled to [0, 1] by the lowest and highest run of each environment"
    )
    return matrices, words


Estimate = tuple[float, float, float]  # centre, and the 95 % interval, NaN for one seed


def aggregate_iqm(matrices: dict[str, np.ndarray]) -> dict[str, Estimate]:
    """IQM over seeds and environments, by method."""
    from rliable import metrics

    return _estimates(
        matrices, metrics.aggregate_iqm, [method for method, scores in matrices.items() if len(scores) == 1]
    )


def probability_of_improvement(matrices: dict[str, np.ndarray], over: str) -> dict[str, Estimate]:
    """P(a run of the method beats a run of `over`), averaged over environments, for
    every other method.
    """
    from rliable import metrics

    pairs = {method: (scores, matrices[over]) for method, scores in matrices.items() if method != over}
    return _estimates(
        pairs,
        metrics.probability_of_improvement,
        [method for method, pair in pairs.items() if min(map(len, pair)) == 1],
    )


def _estimates(
    scores: Mapping[str, Any], metric: Callable[..., float], without_interval: Sequence[str]
) -> dict[str, Estimate]:
    """A metric with its stratified bootstrap interval."""
    if not scores:
        return {}
    centres, intervals = _bootstrap(dict(scores), lambda *args: np.array([metric(*args)]), REPETITIONS)
    result = {}
    for method in scores:
        low, high = (np.nan, np.nan) if method in without_interval else intervals[method][:, 0]
        result[method] = float(centres[method][0]), float(low), float(high)
    return result


def _bootstrap(
    scores: dict[str, Any], function: Callable[..., np.ndarray], repetitions: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Point estimates and (2, n) 95 % intervals by rliable's stratified bootstrap,
    always from the same seed.
    """
    from rliable import library

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # arch's, of the generator that rliable hands to it
        rng = np.random.RandomState(0)
        return library.get_interval_estimates(scores, function, reps=repetitions, random_state=rng)


def performance_profile(matrices: dict[str, np.ndarray], thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """The share of runs whose score is above each threshold."""
    return {
        method: (scores.ravel()[:, None] > thresholds).mean(axis=0) for method, scores in matrices.items()
    }
