"""Running a host's code without leaving a trace in its random streams, its modules or its agent."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


class _Kept:
    """The attributes of an object, and the buffers of one that is a module."""

    def __init__(self, holder: object) -> None:
        self._own = vars(holder)
        self._attributes = dict(self._own)
        buffers = self._own.get("_buffers")
        self._buffers = dict(buffers) if isinstance(buffers, dict) else None

    def put_back(self) -> None:
        self._own.clear()
        self._own.update(self._attributes)
        if self._buffers is not None:
            self._own["_buffers"].clear()
            self._own["_buffers"].update(self._buffers)


def torch_generators() -> list[torch.Generator]:
    """The global ones of the CPU and of the CUDA devices in use. They are seeded one by one:
    torch.manual_seed also leaves a seed behind for devices that are not in use yet."""
    return [
        torch.default_generator,
        *(torch.cuda.default_generators if torch.cuda.is_initialized() else ()),
    ]


@contextmanager
def isolated(modules: Iterable[nn.Module], agent: object, seed: int) -> Iterator[None]:
    """Within the block all global generators run from `seed` and the modules are in
    evaluation mode; afterwards everything is as it was.

    Attributes of the agent and of the modules, a recurrent encoder's hidden state among them, are what
    they were: inference overwrites what a host believes. A tensor that is changed in place stays changed.
    """
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 (hosts draw from the global generators)
    generators = torch_generators()
    torch_states = [generator.get_state() for generator in generators]
    parts = {id(part): part for module in modules for part in module.modules()}
    training = [part for part in parts.values() if part.training]
    kept = [_Kept(holder) for holder in {id(agent): agent, **parts}.values()]
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    for generator in generators:
        generator.manual_seed(seed)
    for part in training:
        part.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        for attributes in kept:
            attributes.put_back()
        for part in training:
            part.training = True
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        for generator, state in zip(generators, torch_states):
            generator.set_state(state)


@contextmanager
def borrowed_generators(holders: Iterable[object], rng: np.random.Generator) -> Iterator[None]:
    """Let objects that hold numpy generators of their own draw from another within the block."""
    own = [
        (holder, name, value)
        for holder in holders
        for name, value in vars(holder).items()
        if isinstance(value, (np.random.Generator, np.random.RandomState))
    ]
    legacy = np.random.RandomState(int(rng.integers(2**32))) if own else None
    for holder, name, value in own:
        setattr(holder, name, rng if isinstance(value, np.random.Generator) else legacy)
    try:
        yield
    finally:
        for holder, name, value in own:
            setattr(holder, name, value)
