"""The tables of a report beside its scores: what relabeling did, the runs, their settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from rlkit_hfr.experiments.analysis import facts
from rlkit_hfr.experiments.analysis.cells import Table, number
from rlkit_hfr.experiments.analysis.logs import RunLog
from rlkit_hfr.experiments.analysis.scores import area_scores, collapses, final_score
from rlkit_hfr.experiments.analysis.study import Study

_RELABELING = {
    "offered": "relabel/paths relabeled",
    "changed task": "relabel/share that changed task",
    "with another reward": "relabel/share of moved steps with another reward",
    "entropy": "relabel/entropy",
    "effective tasks": "relabel/effective tasks",
    "rewarded, collected": "relabel/rewarded share as collected",
    "rewarded, stored": "relabel/rewarded share as stored",
}
_Move = TypedDict("_Move", {"from": int, "to": int, "paths": float, "share": float})
_Run = TypedDict(
    "_Run",
    {
        "environment": str,
        "method": str,
        "seed": int,
        "test return": float,
        "test success": float,
        "area": float,
        "collapses": "int | None",
        "iterations": int,
        "steps": float,
        "wall time (s)": float,
        "started": str,
        "commit": str,
        "processor": str,
        "folder": str,
    },
)
_STARRED = "* when the file of the log was last written, which a copy changes; the start is not recorded."


def relabeling_table(study: Study) -> tuple[Table | None, dict[str, object]]:
    """What relabeling did: means over iterations, then over runs; and the most frequent
    moves.
    """
    rows: list[list[str]] = []
    numbers: dict[str, dict[str, dict[str, object]]] = {}
    for env in study.envs:
        for method in study.methods:
            group = study.group(env, method)
            means = {name: _mean_of(group, column) for name, column in _RELABELING.items()}
            if not group or all(np.isnan(value) for value in means.values()):
                continue
            top = _most_moved(study.moves.get((env, method)))
            numbers.setdefault(env, {})[method] = {**means, "moves": top}
            said = ", ".join(f"{move['from']} to {move['to']}: {move['share']:.0%}" for move in top)
            rows.append([env, method, *(number(value) for value in means.values()), said or facts.UNKNOWN])
    if not rows:
        return None, {}
    header = ["environment", "method", *_RELABELING, "moves (of a task's paths)"]
    note = (
        "Means over iterations and runs. Offered: trajectories an iteration that the relabeler was asked "
        "about. Changed task: their share that went to another. With another reward: of the steps that went "
        "to another task, the share whose reward changed. Entropy is in nats, effective tasks its "
        "exponential: 1 is a hard choice. Rewarded: share of steps with a sparse reward or at the goal, "
        "before (collected) and after (stored). Moves: the three most frequent, from one task to another, "
        "and their share of what the first collected."
    )
    return Table("What relabeling did", header, rows, note), dict(numbers)


def _mean_of(group: Sequence[RunLog], column: str) -> float:
    means = [run.table[column].mean() for run in group if column in run.table]
    known = [mean for mean in means if np.isfinite(mean)]
    return float(np.mean(known)) if known else float("nan")


def _most_moved(matrix: np.ndarray | None, count: int = 3) -> list[_Move]:
    """The most frequent moves from one task to another. matrix: paths of each task that went to each,
    (K, K)."""
    if matrix is None:
        return []
    moved = matrix * (1 - np.eye(len(matrix)))
    totals = matrix.sum(axis=1)
    top = np.argsort(moved, axis=None)[::-1][:count]
    pairs = [divmod(int(place), len(matrix)) for place in top]
    return [
        _Move(
            {
                "from": source,
                "to": new,
                "paths": moved[source, new],
                "share": moved[source, new] / totals[source],
            }
        )
        for source, new in pairs
        if moved[source, new] > 0
    ]


def run_table(study: Study) -> tuple[Table, list[_Run]]:
    """Every run by itself."""
    areas = dict(zip(map(id, study.runs), area_scores(study.runs).values, strict=True))
    order = {method: place for place, method in enumerate(study.methods)}
    runs = sorted(study.runs, key=lambda run: (run.env, order[run.method], run.seed, str(run.folder)))
    found = [_numbers_of(run, areas[id(run)], study.last) for run in runs]
    header = ["environment", "method", "seed", "test return", "test success", "area", "collapses",
              "iterations", "steps", "wall time", "started"]  # fmt: skip
    return Table("Every run", header, [_run_row(run) for run in found], _STARRED), found


def _numbers_of(run: RunLog, area: float, last: int) -> _Run:
    return {
        "environment": run.env,
        "method": run.method,
        "seed": run.seed,
        "test return": final_score(run, "test return", last),
        "test success": final_score(run, "test success", last),
        "area": area,
        "collapses": collapses(run),
        "iterations": len(run.table),
        "steps": float(run.table["steps"].iloc[-1]),
        "wall time (s)": facts.wall_time(run),
        "started": facts.started(run),
        "commit": facts.commit(run),
        "processor": facts.processor(run),
        "folder": run.folder.as_posix().encode("utf-8", "replace").decode(),
    }


def _run_row(run: _Run) -> list[str]:
    return [
        run["environment"],
        run["method"],
        str(run["seed"]),
        *map(number, (run["test return"], run["test success"], run["area"])),
        "–" if run["collapses"] is None else str(run["collapses"]),
        str(run["iterations"]),
        f"{run['steps']:,.0f}",
        facts.spoken(run["wall time (s)"]),
        _marked(run["started"]),
    ]


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


def settings_table(study: Study) -> tuple[Table | None, dict[str, object]]:
    """The settings in which runs differ."""
    differing, shared = facts.compared_settings(study)
    rows = [
        [name, value, ", ".join(who)] for name, values in differing.items() for value, who in values.items()
    ]
    table = Table("Settings that differ", ["setting", "value", "of"], rows) if rows else None
    return table, {"differing": differing, "shared": shared}
