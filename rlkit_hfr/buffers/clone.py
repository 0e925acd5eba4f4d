"""Copies of a host's per-task buffers that know nothing of their class."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any, TypeVar

import numpy as np
import torch

from rlkit_hfr.protocols import Rows, TaskBuffer

Buffer = TypeVar("Buffer", bound=TaskBuffer)

_SHARED = (np.random.Generator, np.random.RandomState, torch.Generator, torch.nn.Module, type)
_PLAIN = (int, float, complex, str, bytes, bool, type(None), np.generic, np.dtype)


def clone_used(buffer: Buffer) -> Buffer:
    """A copy of a per-task buffer and of the rows that it holds.

    A buffer is an object whose arrays or tensors have one row per transition, in
    itself, in containers or in storage objects. Rows past `num_steps_can_sample` are
    not touched, so that a host's million-row `np.zeros` costs address space and not
    memory (a deep copy would commit all of it). Random generators and networks are
    shared.
    """
    return _clone(buffer, buffer.num_steps_can_sample(), _capacity(buffer), {})


def empty_like(buffer: Buffer) -> Buffer:
    """An empty buffer of the same class and size."""
    twin = _clone(buffer, 0, _capacity(buffer), {})
    twin.clear()
    return twin


def _capacity(value: object, depth: int = 3) -> int:
    """The number of rows of the longest array or tensor in a buffer."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return len(value) if value.ndim else 0
    if depth == 0 or isinstance(value, (*_SHARED, *_PLAIN)):
        return 0
    return max((_capacity(item, depth - 1) for item in _parts(value)), default=0)


def _parts(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, (list, tuple, deque, set)):
        return list(value)[:100]
    return list(getattr(value, "__dict__", {}).values())


def _clone(value: object, used: int, capacity: int, done: dict[int, object]) -> Any:
    """Of the class of `value`."""
    if isinstance(value, (*_SHARED, *_PLAIN)) or callable(value):
        return value
    if id(value) in done:
        return done[id(value)]
    twin: object
    if isinstance(value, (np.ndarray, torch.Tensor)):
        twin = _clone_rows(value, used, capacity)
    elif isinstance(value, dict):
        filled = type(value)() if type(value) is not dict else {}
        filled.update({key: _clone(item, used, capacity, done) for key, item in value.items()})
        twin = filled
    elif isinstance(value, deque):
        twin = deque((_clone(item, used, capacity, done) for item in value), value.maxlen)
    elif isinstance(value, (list, set)) or type(value) is tuple:
        twin = type(value)(_clone(item, used, capacity, done) for item in value)
    # an environment, or something that can't be looked into
    elif hasattr(value, "step") or not hasattr(value, "__dict__"):
        return value
    else:
        twin = copy.copy(value)
        done[id(value)] = twin
        for name, item in vars(value).items():
            vars(twin)[name] = _clone(item, used, capacity, done)
    done[id(value)] = twin
    return twin


def _clone_rows(value: Rows, used: int, capacity: int) -> Rows:
    is_storage = value.ndim > 0 and len(value) == capacity >= used
    if not is_storage:
        return value.detach().clone() if isinstance(value, torch.Tensor) else value.copy()
    if isinstance(value, torch.Tensor):
        rows = torch.zeros_like(value)
        rows[:used] = value[:used]
        return rows
    fresh = np.zeros(value.shape, value.dtype)
    fresh[:used] = value[:used]
    return fresh
