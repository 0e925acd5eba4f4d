"""What a checkpoint may hold: tensors, numbers, strings, lists and dicts, so that it loads
with ``torch.load(weights_only=True)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Dict

import numpy as np
import torch

State = Dict[str, Any]


def rng_state(rng: np.random.Generator) -> State:
    """The position of a numpy generator in its stream."""
    return dict(rng.bit_generator.state)


def set_rng_state(rng: np.random.Generator, state: State) -> None:
    rng.bit_generator.state = state


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """An array as a tensor that shares its memory: a state is to be saved before the run goes on."""
    return torch.from_numpy(np.ascontiguousarray(array))


def plain_indices(indices: Iterable[Any]) -> list[Any]:
    """Task indices, with numbers of Python's for those of numpy's, which no checkpoint can hold."""
    return [int(index) if isinstance(index, np.integer) else index for index in indices]


# what torch.load would not know, by names that no info has
_TUPLE, _OBJECTS, _SHAPE, _SCALAR = "<tuple>", "<objects>", "<shape>", "<scalar>"


def is_numeric(value: object) -> bool:
    """Whether it is an array of numbers or truth values."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf"


def plain(value: object) -> Any:
    """Numbers, texts, arrays, and lists, tuples and dicts of them by name, in the form that a checkpoint can
    hold. TypeError for anything else.
    """
    if value is None or isinstance(value, (bool, int, float, str)) and not isinstance(value, np.generic):
        return value
    if isinstance(value, np.generic):
        return {_SCALAR: as_tensor(np.array([value]))}
    if isinstance(value, np.ndarray):
        if is_numeric(value):
            return as_tensor(value).reshape(value.shape)  # one without axes has got one
        return {_OBJECTS: [plain(item) for item in value.ravel().tolist()], _SHAPE: list(value.shape)}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if type(value) is tuple:
        return {_TUPLE: [plain(item) for item in value]}
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: plain(item) for name, item in value.items()}
    raise TypeError(f"a checkpoint can't hold a {type(value).__name__}")


def restored(value: Any) -> Any:
    """What `plain` was given."""
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, list):
        return [restored(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {_SCALAR}:
        return value[_SCALAR].numpy()[0]
    if set(value) == {_TUPLE}:
        return tuple(restored(value[_TUPLE]))
    if set(value) == {_OBJECTS, _SHAPE}:
        array = np.empty(len(value[_OBJECTS]), object)
        for i, item in enumerate(value[_OBJECTS]):  # which numpy would take for an axis if it is a list
            array[i] = restored(item)
        return array.reshape(value[_SHAPE])
    return {name: restored(item) for name, item in value.items()}


def check_alike(found: object, own: object, where: str) -> None:
    """ValueError that names the place if a part of a saved state is of another kind than
    the same part of one's own: other names, a number for a text, a tensor of other columns.

    What one's own has not got yet (None, an empty dict or list) may be anything.
    """
    if isinstance(own, dict):
        if not isinstance(found, dict):
            raise ValueError(f"{where} must be a dict, got {type(found).__name__}")
        if own and all(isinstance(name, str) for name in own) and set(found) != set(own):
            odd = ", ".join(sorted(map(str, set(found) ^ set(own)))[:3])
            raise ValueError(f"{where} has other parts than the run: {odd:.100}")
        for name in own:
            if name in found:
                check_alike(found[name], own[name], f"{where}.{name}")
    elif isinstance(own, torch.Tensor):
        if not isinstance(found, torch.Tensor) or found.dtype != own.dtype:
            raise ValueError(f"{where} must be a tensor of {own.dtype}, got {type(found).__name__}")
        if own.numel() and found.shape[1:] != own.shape[1:]:
            raise ValueError(f"{where} must have rows of {tuple(own.shape[1:])}, got {tuple(found.shape)}")
    elif isinstance(own, (bool, int, float, str)):
        kind = (int, float) if type(own) is float else type(own)
        if not isinstance(found, kind) or isinstance(found, bool) != isinstance(own, bool):
            raise ValueError(f"{where} must be a {type(own).__name__}, got {type(found).__name__}")
