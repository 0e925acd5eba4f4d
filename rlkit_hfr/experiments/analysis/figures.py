"""The figures of a report. Methods keep their colour, line and marker in all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from rlkit_hfr.experiments.analysis import drawing
from rlkit_hfr.experiments.analysis.drawing import Figure, plt, styled
from rlkit_hfr.experiments.analysis.logs import RunLog, settings
from rlkit_hfr.experiments.analysis.notices import leave_out
from rlkit_hfr.experiments.analysis.relabeling_figure import draw_relabeling
from rlkit_hfr.experiments.analysis.score_figure import draw_aggregate
from rlkit_hfr.experiments.analysis.scores import curve, interval
from rlkit_hfr.experiments.analysis.study import Study

_TIMES = ("collection (s)", "updates (s)", "evaluation (s)", "relabeling (s)")
_TIME_COLOURS = ("#BBBBBB", "#4477AA", "#CCBB44", "#EE6677")  # of phases: no method's
_CURVES = {
    "test return": "test return",
    "test success": "test success (share)",
    "training return, stored context": "training return,\nstored context",
}


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
            leave_out(Path(f"{name}.png"), error)
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


@styled
def draw_curves(study: Study, stem: Path) -> Figure:
    """Test return, success and the return with the stored context over environment
    steps.
    """
    columns = [name for name in _CURVES if any(run.table[name].notna().any() for run in study.runs)]
    fig, axes = drawing.panels(len(study.envs), len(columns))
    for axis_row, env in zip(axes, study.envs, strict=True):
        for axis, column in zip(axis_row, columns, strict=True):
            if not any(run.table[column].notna().any() for run in study.runs if run.env == env):
                axis.axis("off")
                continue
            for method in study.methods:
                drawn = curve(study.group(env, method), column, study.window, study.statistic)
                if drawn is not None:
                    drawing.line(
                        axis, study, method, drawn.steps / 1000, (drawn.centre, drawn.low, drawn.high)
                    )
            axis.set(ylabel=_CURVES[column], xlabel="environment steps (thousands)", title=drawing.short(env))
            axis.grid(alpha=0.3)
    drawing.legend(fig, study, study.methods)
    smoothing = f" Each run is averaged over {study.window} iterations first." if study.window > 1 else ""
    return Figure(
        drawing.save(fig, stem),
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


@styled
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
    fig, axes = drawing.panels(len(envs), len(shown), width=5.0)
    for axis_row, env in zip(axes, envs, strict=True):
        for axis, what in zip(axis_row, shown, strict=True):
            for method in study.methods:
                lines = [trajectories(run, what, study.last) for run in study.group(env, method)]
                lines = [line for line in lines if line.size]
                if lines:
                    count = min(map(len, lines))
                    values = np.stack([line[:count] for line in lines])
                    drawing.line(
                        axis, study, method, np.arange(1, count + 1), interval(values, study.statistic)
                    )
            axis.set(
                xlabel="trajectories of the adaptation",
                ylabel=f"test {what}" + (" (share)" if what == "success" else ""),
                title=drawing.short(env),
            )
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.grid(alpha=0.3)
    drawing.legend(fig, study, study.methods)
    return Figure(
        drawing.save(fig, stem),
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


@styled
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
        yticklabels=map(drawing.short, study.methods),
        xlabel="seconds an iteration, mean over runs",
        ylim=(len(study.methods) - 0.5, -0.5),
    )
    axis.legend(ncols=4, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return Figure(
        drawing.save(fig, stem),
        "Where the time goes",
        "Seconds an iteration by phase, mean over a method's runs. Compare only runs of one processor that "
        "shared it with as many others.",
    )
