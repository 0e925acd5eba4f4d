"""Copies of a host's per-task buffers that know nothing of their class."""
from __future__ import annotations

import copy
from typing import Any

import numpy as np


def clone_used(buffer: Any) -> Any:
    """A copy of a per-task buffer and of the rows that it holds.

    A buffer is an object whose arrays have one row per transition. Rows past `num_steps_can_sample` are not touched, so that a host's
    million-row `np.zeros` costs address space and not memory (a deep copy would commit all of it).
    """
    used = buffer.num_steps_can_sample()
    twin = copy.copy(buffer)
    for name, value in vars(buffer).items():
        setattr(twin, name, _clone_value(value, used))
    return twin


def empty_like(buffer: Any) -> Any:
    """An empty buffer of the same class and size."""
    twin = copy.copy(buffer)
    for name, value in vars(buffer).items():
        setattr(twin, name, _clone_value(value, 0))
    twin.clear()
    return twin


def _clone_value(value: Any, used: int) -> Any:
    if isinstance(value, np.ndarray) and value.ndim and len(value) >= used:
        fresh = np.zeros(value.shape, value.dtype)
        fresh[:used] = value[:used]
        return fresh
    if isinstance(value, dict):
        return {key: _clone_value(item, used) for key, item in value.items()}
    return list(value) if isinstance(value, list) else value
