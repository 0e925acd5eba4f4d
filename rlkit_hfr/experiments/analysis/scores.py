"""Statistics over seeds and environments: interquartile means with stratified bootstrap
intervals (Agarwal et al. 2021, by rliable).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rlkit_hfr.experiments.analysis.logs import RunLog

REPETITIONS = 2000
GRID = 60
FEWEST_FOR_INTERVAL = 3  # runs
FEWEST_FOR_TRIMMING = 4  # a quarter of fewer is no run
FEWEST_TO_TRUST = 5
COLLAPSE = 0.5  # a drop of test success between two evaluations
_DIGITS = 9  # of scores: equal means of the same numbers in another order differ in their last bit


@dataclass(frozen=True, eq=False)
class Curve:
    """steps, centre: (n,); low, high: (n,) of the 95 % interval, or None under
    `FEWEST_FOR_INTERVAL` seeds; seeds: how many.
    """

    steps: np.ndarray
    centre: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    seeds: int


def methods_of(runs: Sequence[RunLog], last: int = 10, statistic: str = "iqm") -> list[str]:
    """The methods, best first: by their final scores, averaged over seeds as the tables
    show them, and then over the environments that they have.
    """
    scaled, _ = _scaled(runs, end_scores(runs, last))
    found: dict[str, list[float]] = {run.method: [] for run in runs}
    for (method, _env), values in scaled.items():
        found[method].append(float(_centre(np.array(values), statistic)))
    return sorted(found, key=lambda name: (-float(np.mean(found[name])) if found[name] else np.inf, name))


def baseline_of(methods: Sequence[str]) -> str | None:
    """The first method without relabeling."""
    return next((name for name in methods if name.split()[:1] == ["none"]), None)


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """The mean over the last `window` epochs, fewer at the beginning, without NaN."""
    return np.array([_mean(values[max(0, i - window + 1) : i + 1]) for i in range(len(values))])


def final_score(run: RunLog, column: str, last: int) -> float:
    """The mean of a column over the last epochs that have a value; NaN if none has."""
    values = run.table[column].to_numpy()
    return _mean(values[np.isfinite(values)][-last:])


def collapses(run: RunLog) -> int | None:
    """How often test success fell by `COLLAPSE` or more from one evaluation to the
    next; None where success is not recorded.
    """
    success = run.table["test success"].dropna().to_numpy()
    return int((np.diff(success) <= -COLLAPSE + 1e-9).sum()) if success.size else None


def area(run: RunLog, column: str, between: tuple[float, float]) -> float:
    """The mean height of a column's curve between two numbers of steps: the area under
    it, divided by its width.
    """
    known = run.table[["steps", column]].dropna().drop_duplicates("steps", keep="last")
    steps, values = known["steps"].to_numpy(), known[column].to_numpy()
    if not steps.size:
        return float("nan")
    low, high = max(between[0], steps[0]), min(between[1], steps[-1])
    if high <= low:
        return float(np.interp(low, steps, values))
    grid = np.unique(np.concatenate([[low, high], steps[(steps > low) & (steps < high)]]))
    return float(np.trapezoid(np.interp(grid, steps, values), grid) / (high - low))


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
    ranges = [_scored_steps(run, column) for run in usable]
    first, last = max(steps[0] for steps in ranges), min(steps[-1] for steps in ranges)
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

    The interquartile mean or mean over seeds, and its 95 % bootstrap interval; None
    under `FEWEST_FOR_INTERVAL` seeds. Of fewer than `FEWEST_FOR_TRIMMING` seeds none is
    trimmed: the interquartile mean is the mean.
    """

    def centre(sample: np.ndarray) -> np.ndarray:
        return _centre(sample, statistic)

    if len(values) < FEWEST_FOR_INTERVAL:
        return centre(values), None, None
    repetitions = REPETITIONS if values.shape[1] == 1 else REPETITIONS // 5  # a figure needs fewer digits
    _, intervals = _bootstrap({"": values[:, None]}, lambda sample: centre(sample[:, 0]), repetitions)
    return centre(values), *intervals[""]


def _centre(values: np.ndarray, statistic: str) -> np.ndarray:
    """The interquartile mean or the mean over the first axis."""
    from scipy import stats

    return stats.trim_mean(values, 0.25, axis=0) if statistic == "iqm" else values.mean(axis=0)


@dataclass(frozen=True)
class Scores:
    """One score of every run, in the runs' order (NaN where it has none), and in words
    what it is. is_success: in [0, 1] as it is.
    """

    values: tuple[float, ...]
    is_success: bool
    words: str


def end_scores(runs: Sequence[RunLog], last: int) -> Scores:
    """The mean of the last evaluations: of success where every run has it, otherwise of
    return.
    """
    column, is_success = _scored_column(runs)
    name = "success rate" if is_success else "return"
    values = tuple(round(final_score(run, column, last), _DIGITS) for run in runs)
    return Scores(values, is_success, f"test {name}, mean of the last {last} evaluations")


def area_scores(runs: Sequence[RunLog]) -> Scores:
    """The area under the same column's curve, over the steps that all runs on one
    environment have; a run's own steps where they have none in common.
    """
    column, is_success = _scored_column(runs)
    name = "success" if is_success else "return"
    between: dict[str, tuple[float, float]] = {}
    for run in runs:
        steps = _scored_steps(run, column)
        low, high = between.get(run.env, (-np.inf, np.inf))
        between[run.env] = max(low, steps[0]), min(high, steps[-1])
    everything = (-np.inf, np.inf)
    common = {env: range_ if range_[1] >= range_[0] else everything for env, range_ in between.items()}
    values = tuple(round(area(run, column, common[run.env]), _DIGITS) for run in runs)
    return Scores(values, is_success, f"area under the test {name} curve (its mean height over the steps)")


def _scored_steps(run: RunLog, column: str) -> np.ndarray:
    """The steps at which the column has a value; all, if it has none."""
    known = run.table["steps"][run.table[column].notna()].to_numpy()
    return known if known.size else run.table["steps"].to_numpy()


def _scored_column(runs: Sequence[RunLog]) -> tuple[str, bool]:
    everywhere = all(run.table["test success"].notna().any() for run in runs)
    return ("test success", True) if everywhere else ("test return", False)


def score_matrices(runs: Sequence[RunLog], scores: Scores) -> tuple[dict[str, np.ndarray], str]:
    """Scores (seeds, environments) in [0, 1] of every method that has all environments,
    best first, and in words what they are.

    Returns are scaled by the lowest and highest run of each environment. Methods with
    unequal numbers of seeds are cut to the fewest that they have on an environment.
    """
    scaled, words = _scaled(runs, scores)
    envs = sorted({run.env for run in runs})
    matrices = {}
    for method in sorted({run.method for run in runs}):
        columns = [scaled.get((method, env), []) for env in envs]
        seeds = min(map(len, columns))
        if seeds:
            matrices[method] = np.array([values[:seeds] for values in columns]).T
    centres = {method: float(_centre(scores.ravel(), "iqm")) for method, scores in matrices.items()}
    best_first = sorted(matrices, key=lambda method: (-centres[method], method))
    return {method: matrices[method] for method in best_first}, words


def _scaled(runs: Sequence[RunLog], scores: Scores) -> tuple[dict[tuple[str, str], list[float]], str]:
    scaled: dict[tuple[str, str], list[float]] = {}
    for env in sorted({run.env for run in runs}):
        here = [
            (run, score)
            for run, score in zip(runs, scores.values, strict=True)
            if run.env == env and np.isfinite(score)
        ]
        if not here:
            continue
        values = [score for _, score in here]
        low, high = (0.0, 1.0) if scores.is_success else (min(values), max(values))
        for run, score in here:
            scaled.setdefault((run.method, env), []).append((score - low) / max(high - low, 1e-12))
    more = "" if scores.is_success else ", scaled to [0, 1] by the lowest and highest run of each environment"
    return scaled, scores.words + more


_Scores = np.ndarray | tuple[np.ndarray, np.ndarray]  # of a method, or of it and another


class Estimate(NamedTuple):
    """low, high: of the 95 % interval, NaN of too few seeds."""

    centre: float
    low: float
    high: float


def aggregate_iqm(matrices: dict[str, np.ndarray]) -> dict[str, Estimate]:
    """IQM over seeds and environments, by method; the mean of fewer than
    `FEWEST_FOR_TRIMMING` scores.
    """
    from rliable import metrics

    few = [method for method, scores in matrices.items() if len(scores) < FEWEST_FOR_INTERVAL]
    return _estimates(matrices, metrics.aggregate_iqm, few)


def probability_of_improvement(matrices: dict[str, np.ndarray], over: str) -> dict[str, Estimate]:
    """P(a run of the method beats a run of `over`), averaged over environments, for
    every other method.
    """
    from rliable import metrics

    pairs = {method: (scores, matrices[over]) for method, scores in matrices.items() if method != over}
    return _estimates(
        pairs,
        metrics.probability_of_improvement,
        [method for method, pair in pairs.items() if min(map(len, pair)) < FEWEST_FOR_INTERVAL],
    )


def _estimates(
    scores: Mapping[str, _Scores], metric: Callable[..., float], without_interval: Sequence[str]
) -> dict[str, Estimate]:
    """A metric with its stratified bootstrap interval."""
    if not scores:
        return {}
    centres, intervals = _bootstrap(dict(scores), lambda *args: np.array([metric(*args)]), REPETITIONS)
    result = {}
    for method in scores:
        low, high = (np.nan, np.nan) if method in without_interval else intervals[method][:, 0]
        result[method] = Estimate(float(centres[method][0]), float(low), float(high))
    return result


def _bootstrap(
    scores: dict[str, _Scores], function: Callable[..., np.ndarray], repetitions: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Point estimates and (2, n) 95 % intervals by rliable's stratified bootstrap, always
    from the same seed.
    """
    from rliable import library

    # rliable draws from numpy's global generator, whatever random_state it is given.
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        return library.get_interval_estimates(scores, function, reps=repetitions)
    finally:
        np.random.set_state(state)  # noqa: NPY002


def performance_profile(matrices: dict[str, np.ndarray], thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """The share of runs whose score is above each threshold."""
    return {
        method: (scores.ravel()[:, None] > thresholds).mean(axis=0) for method, scores in matrices.items()
    }
