"""What a checkpoint may hold: tensors, numbers, strings, lists and dicts, so that it loads
with ``torch.load(weights_only=True)``.
"""

from __future__ import annotations

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
