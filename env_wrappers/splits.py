"""Training and test tasks from different parts of a family, for extrapolation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from env_wrappers.base import HindsightEnv, Split

_MOST_TASKS = 100_000  # drawn in search of those that a split asks for
_MOST_DRAWS = 10_000  # of `sample_tasks`, until enough lie in the interval


def build_split(
    build: Callable[[int], HindsightEnv], split: Any, n_tasks: int, n_test_tasks: int | None
) -> HindsightEnv:
    """A family whose last `n_test_tasks` tasks (one in five by default) lie in the split's
    interval for testing, and all before them in the one for training.

    build: the family with so many tasks; split: a name of its `splits`, or the four ends of
    the intervals of `split_coordinate`. The family draws tasks as ever, more of them, of
    which those in the intervals are kept. ValueError if it has not enough. Its
    `sample_tasks`, where it has one, draws tasks for training alone.
    """
    testing = max(1, n_tasks - round(0.8 * n_tasks)) if n_test_tasks is None else n_test_tasks
    if not 1 <= testing < n_tasks:
        raise ValueError(f"n_test_tasks must be from 1 to n_tasks - 1 = {n_tasks - 1}, got {n_test_tasks!r}")
    size = n_tasks
    env = build(size)
    chosen = _as_split(split, env.splits)
    while True:
        where = env.split_coordinate(env.tasks)
        train = np.flatnonzero(_within(where, chosen.train))[: n_tasks - testing]
        free = _within(where, chosen.test)
        free[train] = False
        test = np.flatnonzero(free)[:testing]
        if len(train) == n_tasks - testing and len(test) == testing:
            break
        size *= 2
        if size > _MOST_TASKS:
            raise ValueError(
                f"split {split!r} asks for {n_tasks - testing} training and {testing} test tasks of"
                f" {type(env).__name__}, got {len(train)} and {len(test)} among {size // 2:,};"
                " widen its intervals"
            )
        env = build(size)
    env.keep_tasks(np.concatenate([train, test]))
    if chosen.even:
        env.tasks[-testing:, 0] = np.linspace(*chosen.test, testing)
    if hasattr(env, "sample_tasks"):
        setattr(env, "sample_tasks", partial(_sample_within, env, chosen.train))  # noqa: B010
    return env


def _sample_within(
    env: Any, interval: tuple[float, float], number: int, rng: np.random.Generator
) -> np.ndarray:
    """New tasks of the family's distribution, given that they lie in the interval: (number, G)."""
    found = np.empty((0, env.tasks.shape[1]))
    for _ in range(_MOST_DRAWS):
        if len(found) >= number:
            return found[:number]
        drawn = type(env).sample_tasks(env, number, rng)
        found = np.concatenate([found, drawn[_within(env.split_coordinate(drawn), interval)]])
    raise ValueError(
        f"sample_tasks of {type(env).__name__} gave {len(found)} of {number} tasks in the split's interval"
        f" for training, {interval}; widen it"
    )


def _within(values: np.ndarray, interval: tuple[float, float]) -> np.ndarray:
    return (interval[0] <= values) & (values <= interval[1])


def _as_split(split: Any, known: Mapping[str, Split]) -> Split:
    if isinstance(split, str):
        if split not in known:
            names = ", ".join(known) or "none of its own"
            raise ValueError(f"unknown split {split!r}; known: {names}, or four numbers")
        return known[split]
    numbers = list(split) if isinstance(split, (list, tuple)) else []
    if len(numbers) != 4 or any(isinstance(x, bool) or not isinstance(x, (int, float)) for x in numbers):
        raise ValueError(
            "split must be a name or [least, most] of training and then of testing as four numbers,"
            f" got {split!r}"
        )
    a, b, c, d = map(float, numbers)
    if not (a <= b and c <= d):
        raise ValueError(f"the intervals of a split must begin below their ends, got {split!r}")
    return Split((a, b), (c, d))
