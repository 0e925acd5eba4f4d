"""Which methods of a host draw batches for tasks. They are found by what their code does, because descendants rename them."""
from __future__ import annotations

import inspect
import types
from collections.abc import Iterable
from typing import Any


def batch_methods(cls: type, *attributes: str) -> list[str]:
    """Public and private methods of `cls`, in order of definition, that call a ``random_batch`` and mention one of `attributes`
    (any, if none are given). ``random_batch`` itself is left out."""
    names: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            code = getattr(inspect.unwrap(member), "__code__", None) if callable(member) else None
            if code is None or name == "random_batch":
                continue
            used = _names(code)
            if "random_batch" in used and (not attributes or used & set(attributes)):
                names[name] = None
            else:
                names.pop(name, None)  # overridden by one that does not
    return list(names)


def _names(code: types.CodeType) -> set[str]:
    """Attributes and globals that a function mentions, in its comprehensions and inner functions as well."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def asks_for_many(arguments: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether a request is for several tasks (training) and not for one (collection, evaluation): its first argument is iterable."""
    first = arguments[0] if arguments else next(iter(options.values()), None)
    return isinstance(first, Iterable) and getattr(first, "ndim", 1) > 0
