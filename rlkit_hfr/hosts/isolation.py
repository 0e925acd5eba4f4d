"""Running a host's code without leaving a trace in its random streams, its modules or its agent."""
from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn


@contextmanager
def isolated(modules: Iterable[nn.Module], agent: Any, device: torch.device, seed: int) -> Iterator[None]:
    """Within the block all global generators run from `seed` and the modules are in evaluation mode; afterwards everything is as it was.

    agent: its belief (`z`, `z_means`, `z_vars`, `context`) is put back as well, for hosts whose inference overwrites it.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 (hosts draw from the global generators)
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    training = [part for module in modules for part in module.modules() if part.training]
    belief = {name: getattr(agent, name) for name in ("z", "z_means", "z_vars", "context") if hasattr(agent, name)}
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    for part in training:
        part.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        for part in training:
            part.training = True
        for name, value in belief.items():
            setattr(agent, name, value)
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, device)


@contextmanager
def borrowed_generator(buffer: Any, rng: np.random.Generator) -> Iterator[None]:
    """Let a buffer that holds a generator of its own (`rng`) draw from another within the block."""
    own = getattr(buffer, "rng", None)
    if own is None:
        yield
        return
    buffer.rng = rng
    try:
        yield
    finally:
        buffer.rng = own
