"""The parameters of each task, as inputs of a learned reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def task_vectors(layers: Sequence[object], tasks: Sequence[int]) -> dict[int, np.ndarray]:
    """(G,) float32 per task: the numbers in `tasks` or `goals` of the first of an
    environment's layers that has them, arrays or oyster's dicts of numbers; without
    any, one-hot vectors, by which a reward can be learned but tells nothing of tasks
    that are alike.
    """
    for layer in layers:
        for name in ("tasks", "goals"):
            known = getattr(layer, name, None)
            if isinstance(known, (list, tuple, np.ndarray)) and all(
                isinstance(task, (int, np.integer)) and task < len(known) for task in tasks
            ):
                vectors = {task: vector for task in tasks if (vector := _numbers(known[task])) is not None}
                if len(vectors) == len(tasks) and len({vector.shape for vector in vectors.values()}) == 1:
                    return vectors
    return dict(zip(tasks, np.eye(len(tasks), dtype=np.float32)))


def _numbers(task: object) -> np.ndarray | None:
    values = list(task.values()) if isinstance(task, Mapping) else [task]
    try:
        return (
            np.concatenate([np.asarray(value, np.float32).reshape(-1) for value in values])
            if values
            else None
        )
    except (TypeError, ValueError):
        return None
