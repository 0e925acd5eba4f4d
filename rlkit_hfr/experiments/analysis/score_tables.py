"""The tables of scores: by environment, and over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from rlkit_hfr.experiments.analysis import facts
from rlkit_hfr.experiments.analysis.cells import Bounds, Table, cell, estimated
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
    probability_of_improvement,
    score_matrices,
)
from rlkit_hfr.experiments.analysis.study import Study, pooled

_ENDS = ("test return", "test success", "training return, stored context")

_Ended = TypedDict(
    "_Ended",
    {
        "seeds": list[int],
        "estimates": dict[str, Bounds],
        "score": float,
        "collapses": "int | None",
        "runs with a collapse": "int | None",
        "steps": float,
    },
)


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
            f"Fewer than {FEWEST_TO_TRUST} runs: {', '.join(few)}. Differences may be chance; "
            f"with fewer than {FEWEST_FOR_INTERVAL} there is no interval."
        )
    lengths = {run.env: set[float]() for run in study.runs}
    for run in study.runs:
        lengths[run.env].add(float(run.table["steps"].iloc[-1]))
    for env, ends in lengths.items():
        if len(ends) > 1:
            text.append(
                f"Runs on {env} have different lengths, {min(ends):,.0f} to {max(ends):,.0f} steps; "
                "final scores are of each run's own end, areas end at the fewest steps of all."
            )
    processors = sorted({facts.processor(run) for run in study.runs})
    if len(processors) > 1:
        text.append(f"Runs of different processors: {'; '.join(processors)}. Their times do not compare.")
    return text


def final_tables(study: Study) -> tuple[list[Table], dict[str, dict[str, _Ended]]]:
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
        found: dict[str, _Ended] = {}
        for method in study.methods:
            group = study.group(env, method)
            if not group:
                continue
            estimates: dict[str, Bounds] = {
                name: estimated([final_score(run, name, study.last) for run in group], study.statistic)
                for name in columns
            }
            estimates["area under the curve"] = estimated(
                [of_area[id(run)] for run in group], study.statistic
            )
            drops = [count for run in group if (count := collapses(run)) is not None]
            found[method] = {
                "seeds": sorted(run.seed for run in group),
                "estimates": estimates,
                "score": estimated([of_end[id(run)] for run in group], study.statistic)["centre"],
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


def _final_row(method: str, found: _Ended, columns: Sequence[str]) -> list[str]:
    estimates = [found["estimates"][name] for name in (*columns, "area under the curve")]
    drops = "–" if found["collapses"] is None else f"{found['collapses']} ({found['runs with a collapse']})"
    seeds = ", ".join(map(str, found["seeds"]))
    return [method, seeds, *map(cell, estimates), drops, f"{found['steps']:,.0f}"]


def final_note(study: Study) -> str:
    return (
        f"Methods by score, best first. Values at the end are the mean of a run's last {study.last} "
        f"evaluations; then {study.averaged()}; in brackets {study.spread()}. Area: mean height of the test "
        f"curve over the steps that all runs have. Collapses: drops of test success of {COLLAPSE} or more "
        "from one evaluation to the next, and in brackets in how many runs."
    )


def aggregate_table(study: Study) -> tuple[Table | None, dict[str, object]]:
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
            method: Bounds(centre=values.centre, low=values.low, high=values.high)
            for method, values in own.items()
        }
        for name, own in kept.items()
    }
    rows = [
        [method, *(cell(numbers[name][method]) if method in numbers[name] else "–" for name in kept)]
        for method in methods
    ]
    header = ["method", *(name.replace("better than none", f"P(better than {over})") for name in kept)]
    note = f"End: {words['end']}. Area: {words['area']}. Each the {averaged}. Brackets: {study.spread()}."
    return Table("Over all environments", header, rows, note), {"words": words, "estimates": numbers}
