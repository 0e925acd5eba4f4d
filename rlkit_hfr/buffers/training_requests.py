"""Which methods of a host draw batches for tasks. They are found by what their code does,
because descendants rename them.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Collection, Container

import numpy as np

from rlkit_hfr.state import plain_indices

# what draws rows of a task: any, or in order, for recurrent encoders (oyster: data_management/)
_DRAWS = {"random_batch", "random_sequence"}


def batch_methods(cls: type, *attributes: str) -> list[str]:
    """Public and private methods of `cls`, in order of definition, that call a
    ``random_batch`` or ``random_sequence`` and mention one of `attributes` (any, if none
    are given), or override one that does and call it. These two themselves are left out.
    """
    names: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            code = getattr(inspect.unwrap(member), "__code__", None) if callable(member) else None
            if code is None or name in _DRAWS:
                continue
            used = _names(code)
            if used & _DRAWS and (not attributes or used & set(attributes)):
                names[name] = None
            elif name not in used:
                names.pop(name, None)  # overridden by one that does not
    return list(names)


def _names(code: types.CodeType) -> set[str]:
    """Attributes and globals that a function mentions, in its comprehensions and inner functions as well."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def tasks_asked_for(
    arguments: tuple[object, ...], options: dict[str, object], tasks: Container[int]
) -> list[int] | None:
    """The tasks of a request for several (training): the first of its arguments that is a
    collection of task indices. None for a request for one (collection, evaluation).
    """
    found = (_as_tasks(value, tasks) for value in (*arguments, *options.values()))
    return next((several for several in found if several is not None), None)


def _as_tasks(value: object, tasks: Container[int]) -> list[int] | None:
    """The items of a collection of task indices; None for anything else."""
    if (
        not isinstance(value, Collection)
        or isinstance(value, (str, bytes, dict))
        or getattr(value, "ndim", 1) != 1
        or len(value) == 0
    ):
        return None
    items = value.tolist() if hasattr(value, "tolist") else list(value)
    are_tasks = all(
        isinstance(item, (int, np.integer)) and not isinstance(item, bool) and item in tasks for item in items
    )
    return plain_indices(items) if are_tasks else None
