"""The figures of a comparison.

Methods differ by colour, line and marker; every figure says what its intervals are.
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from rlkit_hfr.experiments.analysis.logs import COLUMNS, RunLog, diagnostics
from rlkit_hfr.experiments.analysis.scores import (
    aggregate_iqm,
    curve,
    methods_of,
    performance_profile,
    probability_of_improvement,
    score_matrices,
)

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# Okabe and Ito's colours, told apart with any colour vision.
_COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6D00")
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 2)), (0, (3, 1, 1, 1)))
_MARKERS = "osD^vPX*"
_TIMES = ("collection (s)", "updates (s)", "evaluation (s)", "relabeling (s)")
_RELABELING = {
    "relabel/share that changed task": "share of offered paths\nthat changed task",
    "relabel/effective tasks": "effective tasks",
    "relabel/rewarded share as stored": "share of stored steps with\nsparse reward or at the goal",
}


def _look(index: int) -> dict[str, Any]:
    n = len(_COLOURS)
    return dict(color=_COLOURS[index % n], ls=_LINES[index % n], marker=_MARKERS[index % n], ms=4, lw=1.5)


def _save(figure: Any, folder: Path, name: str) -> Path:
    for ending in ("png", "pdf"):
        figure.savefig(folder / f"{name}.{ending}", dpi=110)
    plt.close(figure)
    return folder / f"{name}.png"


def _seeds(runs: Sequence[RunLog], method: str) -> str:
    counts = sorted(
        {
            sum(run.env == env and run.method == method for run in runs)
            for env in {run.env for run in runs if run.method == method}
        }
    )
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _explained(runs: Sequence[RunLog], statistic: str) -> str:
    name = "Interquartile mean" if statistic == "iqm" else "Mean"
    alone = [method for method in methods_of(runs) if _seeds(runs, method) == "1"]
    text = f"{name} over seeds; bands and bars: 95 % stratified bootstrap intervals"
    return f"{text}; one seed has no interval: {', '.join(alone)}" if alone else text


def draw_curves(runs: Sequence[RunLog], folder: Path, window: int, statistic: str) -> Path:
    """Test return, success and the return with the stored context over environment
    steps.
    """
    envs, methods = sorted({run.env for run in runs}), methods_of(runs)
    columns = [
        name
        for name in COLUMNS
        if name.startswith(("test", "training")) and any(run.table[name].notna().any() for run in runs)
    ]
    fig, axes = plt.subplots(
        len(envs),
        len(columns),
        figsize=(4.6 * len(columns), 1.2 + 3.0 * len(envs)),
        squeeze=False,
        layout="constrained",
    )
    for axis_row, env in zip(axes, envs, strict=True):
        for axis, column in zip(axis_row, columns, strict=True):
            for index, method in enumerate(methods):
                drawn = curve(
                    [run for run in runs if run.env == env and run.method == method],
                    column,
                    window,
                    statistic,
                )
                if drawn is None:
                    continue
                look = _look(index)
                axis.plot(drawn.steps / 1000, drawn.centre, markevery=(3 + 2 * index, 15), **look)
                if drawn.low is not None and drawn.high is not None:
                    axis.fill_between(
                        drawn.steps / 1000, drawn.low, drawn.high, color=look["color"], alpha=0.13, lw=0
                    )
            axis.set(
                ylabel=column + (" (0 to 1)" if "success" in column else ""),
                xlabel="environment steps (thousands)",
                title=env,
            )
            axis.grid(alpha=0.3)
    _legend(fig, {f"{method} (seeds: {_seeds(runs, method)})": _look(i) for i, method in enumerate(methods)})
    smoothing = f"; each run averaged over {window} iterations" if window > 1 else ""
    fig.suptitle(f"{_explained(runs, statistic)}{smoothing}", fontsize=9, wrap=True)
    return _save(fig, folder, "curves")


def _legend(fig: Any, looks: dict[str, dict[str, Any]]) -> None:
    """One legend for all panels, below them."""
    handles = [plt.Line2D([], [], label=label, **look) for label, look in looks.items()]
    fig.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6), fontsize=8)


def draw_aggregate(runs: Sequence[RunLog], folder: Path, last: int) -> Path:
    """IQM of final scores, probability of improvement over "none", performance
    profiles.
    """
    matrices, words = score_matrices(runs, last)
    methods = list(matrices)
    look = {method: _look(i) for i, method in enumerate(methods_of(runs))}
    over = next((method for method in methods if method.startswith("none")), None)
    fig, axes = plt.subplots(1, 3, figsize=(14.0, 2.4 + 0.42 * len(methods)), layout="constrained")
    panels = [(axes[0], aggregate_iqm(matrices), f"IQM of the mean over the last {last} iterations")]
    if over is not None:
        panels.append((axes[1], probability_of_improvement(matrices, over), f"P(better than {over})"))
    for axis, estimates, label in panels:
        for row, method in enumerate(methods):
            if method not in estimates:
                continue
            centre, low, high = estimates[method]
            bars = None if np.isnan(low) else [[max(0.0, centre - low)], [max(0.0, high - centre)]]
            style = {key: look[method][key] for key in ("color", "marker")}
            axis.errorbar(centre, row, xerr=bars, capsize=4, ls="none", ms=7, **style)
        axis.set(
            xlabel=label, yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5)
        )
        axis.grid(alpha=0.3, axis="x")
    if over is None:
        axes[1].axis("off")
    else:
        axes[1].axvline(0.5, color="0.5", lw=1)
        axes[1].set_xlim(-0.03, 1.03)
    thresholds = np.linspace(0.0, 1.0, 101)
    for method, share in performance_profile(matrices, thresholds).items():
        axes[2].plot(thresholds, share, markevery=20, label=method, **look[method])
    axes[2].set(xlabel="score", ylabel="share of runs above it", ylim=(-0.03, 1.03))
    axes[2].grid(alpha=0.3)
    _legend(fig, {method: look[method] for method in methods})
    fig.suptitle(f"Score: {words}. {_explained(runs, 'iqm')}", fontsize=9, wrap=True)
    return _save(fig, folder, "aggregate")


def draw_relabeling(runs: Sequence[RunLog], folder: Path, window: int) -> Path | None:
    """What relabeling did over the runs on one environment, and from which task to
    which; None if no run relabeled.
    """
    shown = [
        run
        for run in runs
        if any(column in run.table and run.table[column].notna().any() for column in _RELABELING)
    ]
    if not shown:
        return None
    methods, everyone = methods_of(shown), methods_of(runs)
    heat: dict[str, np.ndarray] = {}
    for method in methods:
        found = [
            d["source_to_new"]
            for run in shown
            if run.method == method and (d := diagnostics(run)) is not None
        ]
        if method != "none" and found and len({matrix.shape for matrix in found}) == 1:
            heat[method] = np.sum(found, axis=0)
    across = len(_RELABELING)
    down = 1 + -(-len(heat) // across)
    fig, axes = plt.subplots(
        down, across, figsize=(4.6 * across, 0.9 + 3.1 * down), layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, (column, label) in zip(axes[0], _RELABELING.items(), strict=False):
        axis.axis("on")
        for method in methods:
            group = [run for run in shown if run.method == method and column in run.table]
            drawn = curve(group, column, window, "mean") if group else None
            if drawn is not None:
                index = everyone.index(method)
                axis.plot(drawn.steps / 1000, drawn.centre, markevery=(3 + 2 * index, 15), **_look(index))
        axis.set(xlabel="environment steps (thousands)", ylabel=label)
        axis.grid(alpha=0.3)
    for axis, (method, matrix) in zip(axes[1:].flat, heat.items(), strict=False):
        axis.axis("on")
        totals = matrix.sum(axis=1, keepdims=True)
        image = axis.imshow(
            np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0),
            cmap="magma",
            interpolation="nearest",
        )
        axis.set(title=method, xlabel="new task", ylabel="source task")
        fig.colorbar(image, ax=axis, label="share of its offered paths")
    _legend(fig, {method: _look(everyone.index(method)) for method in methods})
    env = runs[0].env
    fig.suptitle(
        f"Relabeling on {env}, mean over seeds; below, from which task to which, "
        "over the whole run and all seeds",
        fontsize=9,
        wrap=True,
    )
    return _save(fig, folder, f"relabeling-{env}")


def draw_time(runs: Sequence[RunLog], folder: Path) -> Path:
    """Seconds an iteration by phase."""
    methods = methods_of(runs)
    fig, axis = plt.subplots(figsize=(7, 1.6 + 0.35 * len(methods)), layout="constrained")
    left = np.zeros(len(methods))

    def seconds_of(name: str, method: str) -> float:
        return float(np.nan_to_num(np.mean([run.table[name].mean() for run in runs if run.method == method])))

    spent = {name: np.array([seconds_of(name, method) for method in methods]) for name in _TIMES}
    spent["collection (s)"] -= spent["relabeling (s)"]  # which happens meanwhile
    for index, (name, seconds) in enumerate(spent.items()):
        hatch, label = ("", "//", "..", "xx")[index], name.removesuffix(" (s)")
        axis.barh(
            range(len(methods)),
            seconds,
            left=left,
            label=label,
            color=_COLOURS[index + 1],
            hatch=hatch,
            edgecolor="white",
        )
        left += seconds
    axis.set(
        yticks=range(len(methods)),
        yticklabels=methods,
        xlabel="seconds an iteration, mean over runs",
        ylim=(len(methods) - 0.5, -0.5),
    )
    axis.legend(ncols=4, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _save(fig, folder, "time")
