"""What a recorded path is worth under other tasks, and how that is checked."""

from __future__ import annotations

from typing import Callable, NamedTuple, Sequence

import numpy as np

from rlkit_hfr.paths import PathDict, path_length


class TaskRewards(NamedTuple):
    """rewards: (K, T) float32; terminals: (K, T) bool; sparse_rewards: (K, T) float32, or
    None if there are none.
    """

    rewards: np.ndarray
    terminals: np.ndarray
    sparse_rewards: np.ndarray | None = None


RewardFunction = Callable[[PathDict, Sequence[int]], TaskRewards]


def until_terminal(terminals: np.ndarray) -> np.ndarray:
    """The steps up to the first terminal of each row, itself included; all where there is none: (K, T) bool
    of terminals (K, T) bool."""
    terminals_before = np.cumsum(terminals, axis=1) - terminals
    return terminals_before == 0


def own_terminals(path: PathDict, num_tasks: int) -> np.ndarray:
    """The terminals that the path recorded, under each of K tasks: (K, T), as they were recorded."""
    return np.broadcast_to(np.reshape(path["terminals"], (1, -1)), (num_tasks, path_length(path)))


def as_task_rewards(
    result: object, path: PathDict, num_tasks: int, source: str = "a reward function"
) -> TaskRewards:
    """Bring what a reward function returned to `TaskRewards`. source: what to call it in messages.

    ValueError, with what was got and what is expected, unless rewards are (K, T) finite
    real numbers and terminals true or false, or exactly 0 or 1.
    """
    parts = tuple(result) if isinstance(result, tuple) else (result,)
    shape = (num_tasks, path_length(path))
    if not 1 <= len(parts) <= 3:
        raise ValueError(
            f"{source} must return rewards, (rewards, terminals) or (rewards, terminals, sparse), got"
            f" {len(parts)} values"
        )
    terminals, sparse = ([*parts, None, None])[1:3]
    if terminals is None:
        terminals = own_terminals(path, num_tasks)
    return TaskRewards(
        _real("rewards", parts[0], shape, source),
        _truths("terminals", terminals, shape, source),
        None if sparse is None else _real("sparse_rewards", sparse, shape, source),
    )


def _real(name: str, values: object, shape: tuple[int, int], source: str) -> np.ndarray:
    """(K, T) float32."""
    array = _array(name, values, shape, source)
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"hindsight {name} of {source} must be real numbers, got {array.dtype}; return float32"
        )
    with np.errstate(over="ignore"):
        single = array.astype(np.float32, copy=False)
    _refuse_where(~np.isfinite(single), array, name, "finite in single precision", source)
    return single


def _truths(name: str, values: object, shape: tuple[int, int], source: str) -> np.ndarray:
    """(K, T) bool."""
    array = _array(name, values, shape, source)
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"hindsight {name} of {source} must be true or false, got {array.dtype}; return booleans"
        )
    if array.dtype.kind != "b":
        _refuse_where((array != 0) & (array != 1), array, name, "true or false, or exactly 0 or 1", source)
    return array.astype(bool, copy=False)


def _array(name: str, values: object, shape: tuple[int, int], source: str) -> np.ndarray:
    expected = f"hindsight {name} of {source} must have shape (K, T) = {shape}"
    if values is None:
        raise ValueError(f"{expected}, got None; return one row per task")
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"{expected}, got a masked array; fill in what is masked")
    try:
        array = np.asarray(values)
    except Exception as error:  # whatever the object happens to trip over
        raise ValueError(f"{expected}, got {type(values).__name__}, which is no array ({error})") from None
    if array.shape != shape:
        raise ValueError(f"{expected}, got {array.shape}; return one row per task")
    return array


def _refuse_where(wrong: np.ndarray, array: np.ndarray, name: str, expected: str, source: str) -> None:
    if wrong.any():
        row, step = np.argwhere(wrong)[0].tolist()
        raise ValueError(
            f"hindsight {name} of {source} must be {expected}, got {array[row, step]} at step {step} under"
            f" the task of row {row}"
        )
