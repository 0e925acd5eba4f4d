"""The one check of what a relabeler returns, before any of it is used."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from rlkit_hfr.paths import PathDict, path_length
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler

_TOLERANCE = 1e-3  # of the sum of probabilities: they may come from half precision


def check_decisions(
    decisions: object, paths: Sequence[PathDict], tasks: Collection[int], relabeler: Relabeler
) -> list[RelabelDecision]:
    """The decisions on `paths`, one each. tasks: the candidate tasks.

    ValueError that names the relabeler, what was got and what is expected.
    """
    who = f"relabeler {getattr(relabeler, 'name', type(relabeler).__name__)!r}"
    if not isinstance(decisions, (list, tuple)):
        raise ValueError(
            f"{who}: decide must return a list of RelabelDecision, got {type(decisions).__name__}"
        )
    if len(decisions) != len(paths):
        raise ValueError(
            f"{who}: decide must return one decision per path, got {len(decisions)} for {len(paths)} paths"
        )
    for i, (decision, path) in enumerate(zip(decisions, paths)):
        where = f"{who}, decision {i}"
        if not isinstance(decision, RelabelDecision):
            raise ValueError(f"{where}: must be a RelabelDecision, got {type(decision).__name__}")
        _check_tasks(decision, path_length(path), tasks, where)
        _check_probs(decision.probs, len(tasks), where)
        for name in ("utilities", "log_partition"):
            _numbers(name, getattr(decision, name), len(tasks), where)
    return list(decisions)


def _check_tasks(decision: RelabelDecision, steps: int, tasks: Collection[int], where: str) -> None:
    chosen = decision.tasks
    if isinstance(chosen, np.ndarray):
        if chosen.shape != (steps,) or chosen.dtype.kind not in "iu":
            raise ValueError(
                f"{where}: an array of tasks must hold one whole number for each of the path's {steps} steps,"
                f" got shape {chosen.shape} of {chosen.dtype}; give one task as a number"
            )
        each: list[int] = np.unique(chosen).tolist()
    elif isinstance(chosen, tuple):
        each = list(chosen)
        if not each:
            raise ValueError(f"{where}: tasks is an empty tuple; name at least one task, or the path's own")
    else:
        each = [chosen]
    for task in each:
        if isinstance(task, bool) or not isinstance(task, (int, np.integer)) or task not in tasks:
            raise ValueError(
                f"{where}: unknown task {task!r}; tasks must be among scorer.candidate_tasks, "
                f"{_some(list(tasks))}"
            )
    if len(set(each)) < len(each):
        raise ValueError(f"{where}: tasks must be distinct, got {chosen!r}; name each task once")


def _check_probs(probs: object, number: int, where: str) -> None:
    values = _numbers("probs", probs, number, where)
    wrong = np.flatnonzero(~np.isfinite(values) | (values < 0.0))
    if wrong.size:
        raise ValueError(
            f"{where}: probs must be finite and zero or more, got {values[wrong[0]]} for candidate {wrong[0]}"
        )
    if abs(values.sum() - 1.0) > _TOLERANCE:
        raise ValueError(f"{where}: probs must sum to 1, got {values.sum():.6g}; divide them by their sum")


def _numbers(name: str, values: object, number: int, where: str) -> np.ndarray:
    expected = f"{where}: {name} must be an array of {number} real numbers, one per candidate task"
    if not isinstance(values, np.ndarray):
        raise ValueError(f"{expected}, got {type(values).__name__}; give a numpy array")
    if values.shape != (number,) or values.dtype.kind not in "fiu":
        raise ValueError(f"{expected}, got shape {values.shape} of {values.dtype}")
    return values.astype(np.float64)


def _some(tasks: list[int]) -> str:
    return ", ".join(map(repr, tasks[:10])) + (", ..." if len(tasks) > 10 else "")
