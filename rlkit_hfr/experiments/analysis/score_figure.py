"""The figure of scores over all runs: their means, who beats whom, and their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rlkit_hfr.experiments.analysis import drawing
from rlkit_hfr.experiments.analysis.drawing import Figure, plt, styled
from rlkit_hfr.experiments.analysis.scores import (
    Estimate,
    aggregate_iqm,
    area_scores,
    baseline_of,
    end_scores,
    performance_profile,
    probability_of_improvement,
    score_matrices,
)
from rlkit_hfr.experiments.analysis.study import Study, pooled


@styled
def draw_aggregate(study: Study, stem: Path) -> Figure | None:
    """The end's and the area's IQM, probability of improvement over "none", performance
    profiles; None if no method has all environments.
    """
    scored = {
        "at the end": end_scores(study.runs, study.last),
        "area under the curve": area_scores(study.runs),
    }
    matrices = {name: score_matrices(study.runs, scores) for name, scores in scored.items()}
    methods = list(matrices["at the end"][0])
    if not methods:
        return None
    over = baseline_of(methods)
    height = 0.9 + 0.34 * max(5, len(methods))
    fig, axes = drawing.panels(2, 3, width=4.6, height=height)
    for axis_row, (name, (matrix, _)) in zip(axes, matrices.items(), strict=True):
        _estimated(axis_row[0], study, methods, aggregate_iqm(matrix))
        axis_row[0].set(xlabel="score", title=f"Score, {name}")
        if over is None or len(methods) < 2 or over not in matrix:
            axis_row[1].axis("off")
        else:
            others = [method for method in methods if method != over]
            _estimated(axis_row[1], study, others, probability_of_improvement(matrix, over))
            axis_row[1].axvline(0.5, color="0.5", lw=1)
            axis_row[1].set(
                xlim=(-0.04, 1.04), xlabel="probability", title=f"Better than {drawing.short(over)}, {name}"
            )
        _profiles(axis_row[2], study, matrix)
        axis_row[2].set(title=f"Runs above a score, {name}")
    drawing.legend(fig, study, methods)
    absent = [method for method in study.methods if method not in methods]
    return Figure(
        drawing.save(fig, stem),
        "Scores over all runs",
        f"Top: {matrices['at the end'][1]}. Bottom: {matrices['area under the curve'][1]}; it rewards "
        f"learning early. Left: {pooled(matrices['at the end'][0])}; bars: {study.spread()}. Middle: how "
        "likely a run of the method beats a run without relabeling; a bar that stays clear of the line at "
        "0.5 is a difference. Right: share of runs whose score is above the value on the axis; higher is "
        "better." + (f" Not shown, for lack of an environment: {', '.join(absent)}." if absent else ""),
    )


def _estimated(
    axis: plt.Axes, study: Study, methods: Sequence[str], estimates: Mapping[str, Estimate]
) -> None:
    for row, method in enumerate(methods):
        if method not in estimates:
            continue
        centre, low, high = estimates[method]
        bars = None if np.isnan(low) else [[max(0.0, centre - low)], [max(0.0, high - centre)]]
        look = study.looks[method]
        axis.errorbar(
            centre, row, xerr=bars, capsize=4, ls="none", ms=7, color=look["color"], marker=look["marker"]
        )
    axis.set(
        yticks=range(len(methods)), yticklabels=map(drawing.short, methods), ylim=(len(methods) - 0.5, -0.5)
    )
    axis.grid(alpha=0.3, axis="x")


def _profiles(axis: plt.Axes, study: Study, matrices: dict[str, np.ndarray]) -> None:
    scores = np.concatenate([matrix.ravel() for matrix in matrices.values()])
    margin = 0.04 * max(float(np.ptp(scores)), 1e-3)
    thresholds = np.linspace(scores.min() - margin, scores.max() + margin, 201)
    for method, share in performance_profile(matrices, thresholds).items():
        axis.plot(thresholds, share, markevery=40, drawstyle="steps-post", **study.looks[method])
    axis.set(xlabel="score", ylabel="share of runs", ylim=(-0.03, 1.03), xlim=(thresholds[0], thresholds[-1]))
    axis.grid(alpha=0.3)
