"""The tables of a report, and the numbers in them for scores.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlkit_hfr.experiments.analysis import facts
from rlkit_hfr.experiments.analysis.logs import RunLog
from rlkit_hfr.experiments.analysis.scores import (
    COLLAPSE,
    FEWEST_FOR_INTERVAL,
    FEWEST_TO_TRUST,
    Estimate,
    aggregate_iqm,
    area_scores,
    baseline_of,
    collapses,
    end_scores,
    final_score,
    interval,
    probability_of_improvement,
    score_matrices,
)
from rlkit_hfr.experiments.analysis.study import Study, pooled

_ENDS = ("test return", "test success", "training return, stored context")
_RELABELING = {
    "offered": "relabel/paths relabeled",
    "changed task": "relabel/share that changed task",
    "with another reward": "relabel/share of moved steps with another reward",
    "entropy": "relabel/entropy",
    "effective tasks": "relabel/effective tasks",
    "rewarded, collected": "relabel/rewarded share as collected",
    "rewarded, stored": "relabel/rewarded share as stored",
}
_STARRED = "* when the log was last written; the start is not recorded."


@dataclass(frozen=True)
class Table:
    """rows: as many texts as `header` has; note: how to read it."""

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""


def _estimate(values: Sequence[float], statistic: str) -> dict[str, Any]:
    known = np.array([value for value in values if np.isfinite(value)])
    if not known.size:
        return {"centre": np.nan, "low": np.nan, "high": np.nan, "runs": 0}
    centre, low, high = interval(known[:, None], statistic)
    return {
        "centre": centre[0],
        "low": np.nan if low is None else low[0],
        "high": np.nan if high is None else high[0],
        "runs": len(known),
    }


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 1000 else f"{value:,.0f}"


def _cell(estimate: dict[str, Any]) -> str:
    text = _number(estimate["centre"])
    if not np.isfinite(estimate["low"]):
        return text
    return f"{text} [{_number(estimate['low'])}, {_number(estimate['high'])}]"


def cautions(study: Study) -> list[str]:
    """What a reader must know before believing a difference."""
    few = [
        f"{method} ({study.seeds(method)[0]})"
        for method in study.methods
        if study.seeds(method)[0] < FEWEST_TO_TRUST
    ]
    text = []
    if few:
        text.append(
            f"Fewer than {FEWEST_TO_TRUST} runs: {', '.join(few)}. Differences may be chance; with fewer "
            "than "
            f"{FEWEST_FOR_INTERVAL} there is no interval."
        )
    lengths = {run.env: set[float]() for run in study.runs}
    for run in study.runs:
        lengths[run.env].add(float(run.table["steps"].iloc[-1]))
    for env, ends in lengths.items():
        if len(ends) > 1:
            text.append(
                f"Runs on {env} have different lengths, {min(ends):,.0f} to {max(ends):,.0f} steps; "
                "final scores "
                "are of each run's own end."
            )
    processors = sorted({facts.processor(run) for run in study.runs})
    if len(processors) > 1:
        text.append(f"Runs of different processors: {'; '.join(processors)}. Their times do not compare.")
    return text


def final_tables(study: Study) -> tuple[list[Table], dict[str, Any]]:
    """By environment: methods by score, with the end, the area, and collapses."""
    tables, numbers = [], {}
    ends, areas = end_scores(study.runs, study.last), area_scores(study.runs)
    of_area = dict(zip(map(id, study.runs), areas.values, strict=True))
    of_end = dict(zip(map(id, study.runs), ends.values, strict=True))
    for env in study.envs:
        here = [run for run in study.runs if run.env == env]
        columns = [
            name for name in _ENDS if any(np.isfinite(final_score(run, name, study.last)) for run in here)
        ]
        found: dict[str, dict[str, Any]] = {}
        for method in study.methods:
            group = study.group(env, method)
            if not group:
                continue
            estimates = {
                name: _estimate([final_score(run, name, study.last) for run in group], study.statistic)
                for name in columns
            }
            estimates["area under the curve"] = _estimate(
                [of_area[id(run)] for run in group], study.statistic
            )
            drops = [count for run in group if (count := collapses(run)) is not None]
            found[method] = {
                "seeds": sorted(run.seed for run in group),
                "estimates": estimates,
                "score": _estimate([of_end[id(run)] for run in group], study.statistic)["centre"],
                "collapses": sum(drops) if drops else None,
                "runs with a collapse": sum(count > 0 for count in drops) if drops else None,
                "steps": float(np.mean([run.table["steps"].iloc[-1] for run in group])),
            }
        best = sorted(found, key=lambda m: (-np.nan_to_num(found[m]["score"], nan=-np.inf), m))
        rows = [_final_row(method, found[method], columns) for method in best]
        area_name = "area, " + ("success" if areas.is_success else "return")
        header = ["method", "seeds", *columns, area_name, "collapses (runs)", "steps"]
        tables.append(Table(env, header, rows))
        numbers[env] = {method: found[method] for method in best}
    return tables, numbers


def _final_row(method: str, found: dict[str, Any], columns: Sequence[str]) -> list[str]:
    estimates = [found["estimates"][name] for name in (*columns, "area under the curve")]
    drops = "–" if found["collapses"] is None else f"{found['collapses']} ({found['runs with a collapse']})"
    seeds = ", ".join(map(str, found["seeds"]))
    return [method, seeds, *map(_cell, estimates), drops, f"{found['steps']:,.0f}"]


def final_note(study: Study) -> str:
    return (
        f"Methods by score, best first. Values at the end are the mean of a run's last {study.last} "
        "evaluations; "
        f"then {study.averaged()}; in brackets {study.spread()}. Area: mean height of the test curve "
        "over the steps "
        f"that all runs have. Collapses: drops of test success of {COLLAPSE} or more from one evaluation "
        "to the next, "
        "and in brackets in how many runs."
    )


def aggregate_table(study: Study) -> tuple[Table | None, dict[str, Any]]:
    """End and area over seeds and environments, and the probability of improvement."""
    scored = {"end": end_scores(study.runs, study.last), "area": area_scores(study.runs)}
    found: dict[str, dict[str, Estimate]] = {}
    words: dict[str, str] = {}
    methods: list[str] = []
    over, averaged = None, ""
    for name, scores in scored.items():
        matrices, words[name] = score_matrices(study.runs, scores)
        if name == "end":
            methods, over = list(matrices), baseline_of(list(matrices))
            averaged = pooled(matrices)
        found[name] = aggregate_iqm(matrices)
        found[f"{name}, better than none"] = (
            probability_of_improvement(matrices, over)
            if over is not None and over in matrices and len(matrices) > 1
            else {}
        )
    if not methods:
        return None, {}
    kept = {name: estimates for name, estimates in found.items() if estimates}
    numbers = {
        name: {
            method: dict(zip(("centre", "low", "high"), values, strict=True))
            for method, values in own.items()
        }
        for name, own in kept.items()
    }
    rows = [
        [method, *(_cell(numbers[name][method]) if method in numbers[name] else "–" for name in kept)]
        for method in methods
    ]
    header = ["method", *(name.replace("better than none", f"P(better than {over})") for name in kept)]
    note = f"End: {words['end']}. Area: {words['area']}. Each the {averaged}. Brackets: {study.spread()}."
    return Table("Over all environments", header, rows, note), {"words": words, "estimates": numbers}


def relabeling_table(study: Study) -> tuple[Table | None, dict[str, Any]]:
    """What relabeling did: means over iterations, then over runs; and the most frequent
    moves.
    """
    rows: list[list[str]] = []
    numbers: dict[str, Any] = {}
    for env in study.envs:
        for method in study.methods:
            group = study.group(env, method)
            means = {name: _mean_of(group, column) for name, column in _RELABELING.items()}
            if not group or all(np.isnan(value) for value in means.values()):
                continue
            top = _most_moved(study.moves.get((env, method)))
            numbers.setdefault(env, {})[method] = {**means, "moves": top}
            said = ", ".join(f"{m['from']} to {m['to']}: {m['share']:.0%}" for m in top)
            rows.append([env, method, *(_number(value) for value in means.values()), said or facts.UNKNOWN])
    if not rows:
        return None, {}
    header = ["environment", "method", *_RELABELING, "moves (of a task's paths)"]
    note = (
        "Means over iterations and runs. Offered: trajectories an iteration that the relabeler was "
        "asked about. "
        "Changed task: their share that went to another. With another reward: of the steps that went to "
        "another "
        "task, the share whose reward changed. Entropy is in nats, effective tasks its exponential: 1 "
        "is a hard choice. "
        "Rewarded: share of steps with a sparse reward or at the goal, before (collected) and after "
        "(stored). "
        "Moves: the three most frequent, from one task to another, and their share of what the first "
        "collected."
    )
    return Table("What relabeling did", header, rows, note), numbers


def _mean_of(group: Sequence[RunLog], column: str) -> float:
    means = [run.table[column].mean() for run in group if column in run.table]
    known = [mean for mean in means if np.isfinite(mean)]
    return float(np.mean(known)) if known else float("nan")


def _most_moved(matrix: np.ndarray | None, count: int = 3) -> list[dict[str, Any]]:
    if matrix is None:
        return []
    moved = matrix * (1 - np.eye(len(matrix)))
    totals = matrix.sum(axis=1)
    top = np.argsort(moved, axis=None)[::-1][:count]
    pairs = [divmod(int(place), len(matrix)) for place in top]
    return [
        {"from": source, "to": new, "paths": moved[source, new], "share": moved[source, new] / totals[source]}
        for source, new in pairs
        if moved[source, new] > 0
    ]


def run_table(study: Study) -> tuple[Table, list[dict[str, Any]]]:
    """Every run by itself."""
    areas = dict(zip(map(id, study.runs), area_scores(study.runs).values, strict=True))
    found: list[dict[str, Any]] = []
    order = {method: place for place, method in enumerate(study.methods)}
    for run in sorted(study.runs, key=lambda run: (run.env, order[run.method], run.seed, str(run.folder))):
        found.append({
            "environment": run.env,
            "method": run.method,
            "seed": run.seed,
            "test return": final_score(run, "test return", study.last),
            "test success": final_score(run, "test success", study.last),
            "area": areas[id(run)],
            "collapses": collapses(run),
            "iterations": len(run.table),
            "steps": float(run.table["steps"].iloc[-1]),
            "wall time (s)": facts.wall_time(run),
            "started": facts.started(run),
            "commit": facts.commit(run),
            "processor": facts.processor(run),
            "folder": run.folder.as_posix().encode("utf-8", "replace").decode(),
        })  # fmt: skip
    rows = [
        [
            run["environment"],
            run["method"],
            str(run["seed"]),
            *(_number(run[name]) for name in ("test return", "test success", "area")),
            "–" if run["collapses"] is None else str(run["collapses"]),
            str(run["iterations"]),
            f"{run['steps']:,.0f}",
            facts.spoken(run["wall time (s)"]),
            _marked(run["started"]),
        ]
        for run in found
    ]
    header = ["environment", "method", "seed", "test return", "test success", "area", "collapses",
              "iterations", "steps", "wall time", "started"]  # fmt: skip
    return Table("Every run", header, rows, _STARRED), found


def _marked(started: str) -> str:
    return started.replace(facts.LAST_WRITTEN, "*")


def provenance_table(study: Study) -> Table:
    """What ran, when and where: a row for each kind of run that differs in it."""
    groups: dict[tuple[str, str, str], list[RunLog]] = {}
    for run in study.runs:
        groups.setdefault((facts.commit(run), facts.processor(run), facts.versions(run)), []).append(run)
    rows = []
    for (commit, processor, versions), runs in groups.items():
        seconds = [facts.wall_time(run) for run in runs]
        known = [value for value in seconds if np.isfinite(value)]
        when = sorted(_marked(facts.started(run)) for run in runs)
        span = when[0] if when[0] == when[-1] else f"{when[0]} to {when[-1]}"
        each = facts.spoken(float(np.mean(known))) if known else facts.UNKNOWN
        total = facts.spoken(float(np.sum(known))) if known else facts.UNKNOWN
        rows.append([str(len(runs)), span, each, total, commit, processor, versions])
    header = ["runs", "when", "wall time a run", "in all", "commit", "processor", "versions"]
    return Table("What was run", header, rows, _STARRED)


def settings_table(study: Study) -> tuple[Table | None, dict[str, Any]]:
    """The settings in which runs differ."""
    differing, shared = facts.compared_settings(study)
    rows = [
        [name, value, ", ".join(who)] for name, values in differing.items() for value, who in values.items()
    ]
    table = Table("Settings that differ", ["setting", "value", "of"], rows) if rows else None
    return table, {"differing": differing, "shared": shared}
