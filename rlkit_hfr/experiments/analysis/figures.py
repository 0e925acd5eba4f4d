"""The figures of a report. Methods keep their colour, line and marker in all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from rlkit_hfr.experiments.analysis.logs import RunLog, settings
from rlkit_hfr.experiments.analysis.notices import leave_out
from rlkit_hfr.experiments.analysis.scores import (
    Estimate,
    aggregate_iqm,
    area_scores,
    baseline_of,
    curve,
    end_scores,
    interval,
    performance_profile,
    probability_of_improvement,
    score_matrices,
)
from rlkit_hfr.experiments.analysis.study import Study, pooled

matplotlib.use("Agg")
import matplotlib.pyplot as plt

_TIMES = ("collection (s)", "updates (s)", "evaluation (s)", "relabeling (s)")
_TIME_COLOURS = ("#BBBBBB", "#4477AA", "#CCBB44", "#EE6677")  # of phases: no method's
_CURVES = {
    "test return": "test return",
    "test success": "test success (share)",
    "training return, stored context": "training return,\nstored context",
}
_REWARDED = ("relabel/rewarded share as collected", "relabel/rewarded share as stored")
_RELABELING = {
    "relabel/share that changed task": "share of offered paths\nthat changed task",
    "relabel/effective tasks": "effective tasks,\nexp(entropy)",
    _REWARDED[1]: "share of rewarded steps,\nas stored (dotted: as collected)",
}
# "$" in a name is no formula; names from logs may hold letters that a font lacks.
_styled = matplotlib.rc_context({"text.parse_math": False, "axes.formatter.use_mathtext": False})


@dataclass(frozen=True)
class Figure:
    """file: its PNG; a PDF of the same name lies beside it."""

    file: Path
    title: str
    caption: str


def draw_all(study: Study, folder: Path) -> list[Figure]:
    """Every figure that the runs allow; one that can't be drawn is left out with a
    warning.
    """
    drawings: list[tuple[str, Callable[[str], Figure | None]]] = [
        ("curves", lambda name: draw_curves(study, folder / name)),
        ("adaptation", lambda name: draw_adaptation(study, folder / name)),
        ("aggregate", lambda name: draw_aggregate(study, folder / name)),
    ]
    for name, env in _file_names(study.envs).items():
        drawings.append((name, partial(_relabeling_of, study, env, folder)))
    drawings.append(("time", lambda name: draw_time(study, folder / name)))
    figures = []
    for name, draw in drawings:
        try:
            figures.append(draw(name))
        except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
            plt.close("all")
            leave_out(folder / f"{name}.png", error)
    return [figure for figure in figures if figure is not None]


def _relabeling_of(study: Study, env: str, folder: Path, name: str) -> Figure | None:
    return draw_relabeling(study, env, folder / name)


def _file_names(envs: Sequence[str]) -> dict[str, str]:
    """A name for a file of its own by environment, whatever is in the environment's."""
    names: dict[str, str] = {}
    for env in envs:
        name = "relabeling-" + (re.sub(r"[^A-Za-z0-9._]+", "-", env).strip("-.")[:60] or "environment")
        number = 2
        while name.lower() in map(str.lower, names):
            name, number = f"{name.rstrip('0123456789')}{number}", number + 1
        names[name] = env
    return names


def _save(figure: Any, stem: Path) -> Path:
    for ending in ("png", "pdf"):
        figure.savefig(stem.with_name(f"{stem.name}.{ending}"), dpi=110)
    plt.close(figure)
    return stem.with_name(f"{stem.name}.png")


def _short(name: str) -> str:
    return name if len(name) <= 36 else f"{name[:35]}…"


def _legend(fig: Any, study: Study, methods: Sequence[str]) -> None:
    """One legend for all panels, below them."""
    handles = []
    for method in methods:
        few, most = study.seeds(method)
        label = f"{_short(method)} ({few if few == most else f'{few} to {most}'})"
        handles.append(plt.Line2D([], [], label=label.lstrip("_"), **study.looks[method]))
    width = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, min(len(handles), int(fig.get_figwidth() * 14 / (width + 8))))
    fig.legend(
        handles=handles,
        loc="outside lower center",
        ncols=columns,
        fontsize=8,
        title="method (runs)",
        title_fontsize=8,
    )


def _panels(rows: int, columns: int, *, width: float = 4.4, height: float = 3.0, extra: float = 1.2) -> Any:
    size = (max(6.0, width * columns), extra + height * rows)
    return plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")


def _line(axis: Any, study: Study, method: str, x: np.ndarray, drawn: Sequence[np.ndarray | None]) -> None:
    """drawn: centre, low and high."""
    centre, low, high = drawn
    axis.plot(x, centre, markevery=max(1, len(x) // 6), **study.looks[method])
    if low is not None and high is not None:
        axis.fill_between(x, low, high, color=study.looks[method]["color"], alpha=0.13, lw=0)


@_styled
def draw_curves(study: Study, stem: Path) -> Figure:
    """Test return, success and the return with the stored context over environment
    steps.
    """
    columns = [name for name in _CURVES if any(run.table[name].notna().any() for run in study.runs)]
    fig, axes = _panels(len(study.envs), len(columns))
    for axis_row, env in zip(axes, study.envs, strict=True):
        for axis, column in zip(axis_row, columns, strict=True):
            if not any(run.table[column].notna().any() for run in study.runs if run.env == env):
                axis.axis("off")
                continue
            for method in study.methods:
                drawn = curve(study.group(env, method), column, study.window, study.statistic)
                if drawn is not None:
                    _line(axis, study, method, drawn.steps / 1000, (drawn.centre, drawn.low, drawn.high))
            axis.set(ylabel=_CURVES[column], xlabel="environment steps (thousands)", title=_short(env))
            axis.grid(alpha=0.3)
    _legend(fig, study, study.methods)
    smoothing = f" Each run is averaged over {study.window} iterations first." if study.window > 1 else ""
    return Figure(
        _save(fig, stem),
        "Learning curves",
        f"Higher and further left is better. Lines: {study.averaged()}; bands: {study.spread()}. "
        "A line ends where the shortest run of its method ends. Test: the last trajectory of an adaptation "
        f"to a task that was not trained on.{smoothing}",
    )


def trajectories(run: RunLog, what: str, last: int) -> np.ndarray:
    """Test return or success of the j-th trajectory of an adaptation, mean over the
    last evaluations; empty if it was not recorded.
    """
    found: list[float] = []
    while (column := f"test/trajectory {len(found) + 1} {what}") in run.table:
        values = run.table[column].dropna().to_numpy()[-last:]
        if not values.size:
            break
        found.append(float(values.mean()))
    return np.array(found)


@_styled
def draw_adaptation(study: Study, stem: Path) -> Figure | None:
    """Return and success against the number of trajectories of an adaptation."""
    recorded = {
        what: [run for run in study.runs if trajectories(run, what, study.last).size]
        for what in ("return", "success")
    }
    shown = [what for what, runs in recorded.items() if runs]
    if not shown:
        return None
    envs = sorted({run.env for runs in recorded.values() for run in runs})
    fig, axes = _panels(len(envs), len(shown), width=5.0)
    for axis_row, env in zip(axes, envs, strict=True):
        for axis, what in zip(axis_row, shown, strict=True):
            for method in study.methods:
                lines = [trajectories(run, what, study.last) for run in study.group(env, method)]
                lines = [line for line in lines if line.size]
                if lines:
                    count = min(map(len, lines))
                    values = np.stack([line[:count] for line in lines])
                    _line(axis, study, method, np.arange(1, count + 1), interval(values, study.statistic))
            axis.set(
                xlabel="trajectories of the adaptation",
                ylabel=f"test {what}" + (" (share)" if what == "success" else ""),
                title=_short(env),
            )
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.grid(alpha=0.3)
    _legend(fig, study, study.methods)
    return Figure(
        _save(fig, stem),
        "Adaptation to a new task",
        "How good the j-th trajectory on a test task is, after the j - 1 before it were looked at. A line "
        "that rises adapts; a flat one gains nothing from what it sees. The first trajectories"
        f"{_exploring(study)} act on a guess from the prior. Mean of the last {study.last} evaluations; "
        f"{study.averaged()}; bands: "
        f"{study.spread()}.",
    )


def _exploring(study: Study) -> str:
    """How many trajectories explore, where all runs say the same."""
    found = {settings(run).get("algo_params.num_exp_traj_eval") for run in study.runs}
    number = found.pop()
    return f" ({number})" if not found and number else ""


@_styled
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
    fig, axes = _panels(2, 3, width=4.6, height=height)
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
                xlim=(-0.04, 1.04), xlabel="probability", title=f"Better than {_short(over)}, {name}"
            )
        _profiles(axis_row[2], study, matrix)
        axis_row[2].set(title=f"Runs above a score, {name}")
    _legend(fig, study, methods)
    absent = [method for method in study.methods if method not in methods]
    return Figure(
        _save(fig, stem),
        "Scores over all runs",
        f"Top: {matrices['at the end'][1]}. Bottom: {matrices['area under the curve'][1]}; it rewards "
        "learning "
        f"early. Left: {pooled(matrices['at the end'][0])}; bars: {study.spread()}. Middle: how likely a "
        "run of "
        "the method beats a run without relabeling; a bar that stays clear of the line at 0.5 is a "
        "difference. "
        "Right: share of runs whose score is above the value on the axis; higher is better."
        + (f" Not shown, for lack of an environment: {', '.join(absent)}." if absent else ""),
    )


def _estimated(axis: Any, study: Study, methods: Sequence[str], estimates: Mapping[str, Estimate]) -> None:
    for row, method in enumerate(methods):
        if method not in estimates:
            continue
        centre, low, high = estimates[method]
        bars = None if np.isnan(low) else [[max(0.0, centre - low)], [max(0.0, high - centre)]]
        style = {key: study.looks[method][key] for key in ("color", "marker")}
        axis.errorbar(centre, row, xerr=bars, capsize=4, ls="none", ms=7, **style)
    axis.set(yticks=range(len(methods)), yticklabels=map(_short, methods), ylim=(len(methods) - 0.5, -0.5))
    axis.grid(alpha=0.3, axis="x")


def _profiles(axis: Any, study: Study, matrices: dict[str, np.ndarray]) -> None:
    scores = np.concatenate([matrix.ravel() for matrix in matrices.values()])
    margin = 0.04 * max(float(np.ptp(scores)), 1e-3)
    thresholds = np.linspace(scores.min() - margin, scores.max() + margin, 201)
    for method, share in performance_profile(matrices, thresholds).items():
        axis.plot(thresholds, share, markevery=40, drawstyle="steps-post", **study.looks[method])
    axis.set(xlabel="score", ylabel="share of runs", ylim=(-0.03, 1.03), xlim=(thresholds[0], thresholds[-1]))
    axis.grid(alpha=0.3)


@_styled
def draw_relabeling(study: Study, env: str, stem: Path) -> Figure | None:
    """What relabeling did over the runs on one environment, and from which task to
    which; None if no run relabeled.
    """
    runs = [run for run in study.runs if run.env == env]
    columns = [c for c in _RELABELING if any(c in run.table and run.table[c].notna().any() for run in runs)]
    if not columns:
        return None
    heat = {
        method: study.moves[env, method]
        for method in study.methods
        if (env, method) in study.moves and method.split()[:1] != ["none"]
    }
    across = max(len(columns), min(len(heat), 3))
    down = 1 + -(-len(heat) // across)
    fig, axes = _panels(down, across)
    for axis in axes.flat:
        axis.axis("off")
    shown = []
    for axis, column in zip(axes[0], columns, strict=False):
        axis.axis("on")
        for method in study.methods:
            group = [run for run in study.group(env, method) if column in run.table]
            drawn = curve(group, column, study.window, "mean")
            if drawn is None:
                continue
            shown.append(method)
            _line(axis, study, method, drawn.steps / 1000, (drawn.centre, None, None))
            before = curve(
                [run for run in group if _REWARDED[0] in run.table], _REWARDED[0], study.window, "mean"
            )
            if column == _REWARDED[1] and before is not None:
                axis.plot(before.steps / 1000, before.centre, ":", color=study.looks[method]["color"], lw=1.2)
        axis.set(xlabel="environment steps (thousands)", ylabel=_RELABELING[column])
        axis.grid(alpha=0.3)
    for axis, (method, matrix) in zip(axes[1:].flat, heat.items(), strict=False):
        axis.axis("on")
        totals = matrix.sum(axis=1, keepdims=True)
        shares = np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0)
        image = axis.imshow(shares, cmap="magma", interpolation="nearest", vmin=0.0)
        axis.set(title=_short(method), xlabel="new task", ylabel="source task")
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.get_major_locator().set_params(integer=True)
        fig.colorbar(image, ax=axis, label="share of the source's paths")
    _legend(fig, study, [method for method in study.methods if method in shown])
    fig.suptitle(f"Relabeling on {_short(env)}", fontsize=10)
    below = (
        "Below: of the paths of a source task (row), the share that went to each task (column)."
        if heat
        else ""
    )
    return Figure(
        _save(fig, stem),
        f"What relabeling did on {env}",
        "Lines: mean over seeds. Changed task: 0 leaves every path where it was. Effective tasks: over "
        "how many "
        "tasks a path's distribution spreads; 1 is a hard choice. Rewarded steps: relabeling helps where the "
        f"solid line (as stored) is above the dotted one (as collected). {below}".strip(),
    )


@_styled
def draw_time(study: Study, stem: Path) -> Figure | None:
    """Seconds an iteration by phase; None where no run recorded any."""

    def seconds_of(name: str, method: str) -> float:
        means = [run.table[name].mean() for run in study.group(None, method)]
        known = [mean for mean in means if np.isfinite(mean)]
        return float(np.mean(known)) if known else 0.0

    spent = {name: np.array([seconds_of(name, method) for method in study.methods]) for name in _TIMES}
    if not any(seconds.any() for seconds in spent.values()):
        return None
    relabeling = spent["relabeling (s)"]
    spent["collection (s)"] = np.maximum(0.0, spent["collection (s)"] - relabeling)  # which happens meanwhile
    fig, axis = plt.subplots(figsize=(7.5, 1.6 + 0.35 * len(study.methods)), layout="constrained")
    left = np.zeros(len(study.methods))
    for (name, seconds), hatch, colour in zip(
        spent.items(), ("", "//", "..", "xx"), _TIME_COLOURS, strict=True
    ):
        axis.barh(
            range(len(study.methods)),
            seconds,
            left=left,
            label=name.removesuffix(" (s)"),
            color=colour,
            hatch=hatch,
            edgecolor="white",
        )
        left += seconds
    axis.set(
        yticks=range(len(study.methods)),
        yticklabels=map(_short, study.methods),
        xlabel="seconds an iteration, mean over runs",
        ylim=(len(study.methods) - 0.5, -0.5),
    )
    axis.legend(ncols=4, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return Figure(
        _save(fig, stem),
        "Where the time goes",
        "Seconds an iteration by phase, mean over a method's runs. Compare only runs of one processor that "
        "shared it with as many others.",
    )
