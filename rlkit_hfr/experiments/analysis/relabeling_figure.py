"""The figure of what relabeling did on one environment, and from which task to which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from rlkit_hfr.experiments.analysis import drawing
from rlkit_hfr.experiments.analysis.drawing import Figure, plt, styled
from rlkit_hfr.experiments.analysis.logs import RunLog
from rlkit_hfr.experiments.analysis.scores import Curve, curve
from rlkit_hfr.experiments.analysis.study import Study

_COLLECTED = "relabel/rewarded share as collected"
_STORED = "relabel/rewarded share as stored"
_COLUMNS = {
    "relabel/share that changed task": "share of offered paths\nthat changed task",
    "relabel/effective tasks": "effective tasks,\nexp(entropy)",
    _STORED: "share of rewarded steps,\nas stored (dotted: as collected)",
}


@styled
def draw_relabeling(study: Study, env: str, stem: Path) -> Figure | None:
    """Lines over the runs above, a map of the moves of each method below; None if no run relabeled."""
    runs = [run for run in study.runs if run.env == env]
    columns = [c for c in _COLUMNS if any(c in run.table and run.table[c].notna().any() for run in runs)]
    if not columns:
        return None
    maps = {
        method: study.moves[env, method]
        for method in study.methods
        if (env, method) in study.moves and method.split()[:1] != ["none"]
    }
    across = max(len(columns), min(len(maps), 3))
    fig, axes = drawing.panels(1 + -(-len(maps) // across), across)
    for axis in axes.flat:
        axis.axis("off")
    shown: set[str] = set()
    for axis, column in zip(axes[0], columns, strict=False):
        shown |= _column(axis, study, env, column)
    for axis, (method, moves) in zip(axes[1:].flat, maps.items(), strict=False):
        _map_of_moves(fig, axis, method, moves)
    drawing.legend(fig, study, [method for method in study.methods if method in shown])
    fig.suptitle(f"Relabeling on {drawing.short(env)}", fontsize=10)
    below = (
        "Below: of the paths of a source task (row), the share that went to each task (column)."
        if maps
        else ""
    )
    return Figure(
        drawing.save(fig, stem),
        f"What relabeling did on {env}",
        "Lines: mean over seeds. Changed task: 0 leaves every path where it was. Effective tasks: over "
        "how many tasks a path's distribution spreads; 1 is a hard choice. Rewarded steps: relabeling helps "
        f"where the solid line (as stored) is above the dotted one (as collected). {below}".strip(),
    )


def _column(axis: plt.Axes, study: Study, env: str, column: str) -> set[str]:
    """One column of the logs over environment steps; returns the methods that have it."""
    shown = set()
    axis.axis("on")
    for method in study.methods:
        group = study.group(env, method)
        drawn = _mean_curve(study, group, column)
        if drawn is None:
            continue
        shown.add(method)
        drawing.line(axis, study, method, drawn.steps / 1000, (drawn.centre, None, None))
        before = _mean_curve(study, group, _COLLECTED) if column == _STORED else None
        if before is not None:
            axis.plot(before.steps / 1000, before.centre, ":", color=study.looks[method]["color"], lw=1.2)
    axis.set(xlabel="environment steps (thousands)", ylabel=_COLUMNS[column])
    axis.grid(alpha=0.3)
    return shown


def _mean_curve(study: Study, runs: Sequence[RunLog], column: str) -> Curve | None:
    return curve([run for run in runs if column in run.table], column, study.window, "mean")


def _map_of_moves(fig: plt.Figure, axis: plt.Axes, method: str, moves: np.ndarray) -> None:
    """moves: paths of each task that went to each, (K, K)."""
    axis.axis("on")
    totals = moves.sum(axis=1, keepdims=True)
    shares = np.divide(moves, totals, out=np.zeros_like(moves), where=totals > 0)
    image = axis.imshow(shares, cmap="magma", interpolation="nearest", vmin=0.0)
    axis.set(title=drawing.short(method), xlabel="new task", ylabel="source task")
    for ticks in (axis.xaxis, axis.yaxis):
        ticks.set_major_locator(MaxNLocator(integer=True))
    fig.colorbar(image, ax=axis, label="share of the source's paths")
