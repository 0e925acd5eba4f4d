"""The context that training sees: each task's own trajectories and those that were
relabeled to it, kept apart from the host's buffer.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rlkit_hfr.buffers.clone import clone_used, empty_like
from rlkit_hfr.checks import one_of, share
from rlkit_hfr.paths import PathDict
from rlkit_hfr.protocols import Batch, TaskBuffer
from rlkit_hfr.state import State, plain_indices, rng_state, set_rng_state

STALE_CONTEXT = ("drop", "keep")


@dataclass
class _Parts:
    """One task's training context. Iterations count from 0; -1 is never."""

    # a buffer of its own, or None while the originals are exactly what the host's
    # buffer holds
    originals: TaskBuffer | None = None
    relabeled: TaskBuffer | None = None
    host_size: int = 0  # of the host's buffer when last seen, by which a clear of it is noticed
    visited_in: int = -1
    relabeled_in: int = -1


class _View:
    """Stands in for a task's host buffer while training draws: batches come from the
    training context, all else is the host's.
    """

    def __init__(self, context: TrainingContext, task: int, host: TaskBuffer) -> None:
        self._context = context
        self._task = task
        self._host = host

    def num_steps_can_sample(self) -> int:
        return sum(part.num_steps_can_sample() for part in self._context.sources(self._task))

    def random_batch(self, batch_size: int, *args: object, **options: object) -> Batch:
        """A uniform batch of the union of both parts; now and then one of what the host itself stored."""
        if self._context.takes_originals() and self._host.num_steps_can_sample():
            return self._host.random_batch(batch_size, *args, **options)
        first, *others = self._context.sources(self._task)
        if not others:
            return first.random_batch(batch_size, *args, **options)
        (second,) = others
        rng = self._context.rng
        of_second = int(rng.binomial(batch_size, second.num_steps_can_sample() / self.num_steps_can_sample()))
        batches = [
            part.random_batch(n, *args, **options)
            for part, n in ((first, batch_size - of_second), (second, of_second))
            if n
        ]
        return _merge(batches, rng.permutation(batch_size)) if len(batches) == 2 else batches[0]

    def _sequence(self, name: str, *args: object, **options: object) -> object:
        """Rows in their order, by another drawing method of the host's: of one of both parts, by their
        sizes, because a sequence of two has no order."""
        if self._context.takes_originals() and self._host.num_steps_can_sample():
            return getattr(self._host, name)(*args, **options)
        sources = self._context.sources(self._task)
        sizes = np.array([part.num_steps_can_sample() for part in sources], np.float64)
        chosen = (
            0 if len(sources) == 1 else int(self._context.rng.choice(len(sources), p=sizes / sizes.sum()))
        )
        return getattr(sources[chosen], name)(*args, **options)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._host, name)
        return (
            functools.partial(self._sequence, name)
            if name.startswith("random_") and callable(value)
            else value
        )


def _merge(batches: list[Any], order: np.ndarray) -> Any:
    """Two batches as one, rows in `order`; what is no array or tensor of rows is taken from the first."""
    first, second = batches
    if isinstance(first, dict):
        return {key: _merge([first[key], second[key]], order) for key in first}
    if isinstance(first, torch.Tensor) and first.ndim:
        return torch.cat([first, second])[torch.as_tensor(order, device=first.device)]
    if isinstance(first, np.ndarray) and first.ndim:
        return np.concatenate([first, second])[order]
    return first


class TrainingContext:
    """Per task two parts: its originals (the host's adds and clears, less what moved away)
    and the paths relabeled to it in the latest iteration in which it got any.

    A path relabeled to a task that was not visited in its iteration retires the task's
    originals as stale (``stale_context="drop"``; "keep" leaves them). If both parts are
    empty, the host's buffer serves. With nothing relabeled it always does.
    """

    def __init__(
        self,
        task_buffers: Mapping[int, TaskBuffer],
        rng: np.random.Generator,
        stale_context: str = "drop",
        accumulate: bool = False,
        original_contexts: float = 0.0,
    ) -> None:
        """task_buffers: the host's encoder buffers by task, which are read and never
            written; rng: of the mixture of both parts.

        accumulate: keep all relabeled paths and all originals, for a host whose one
            buffer serves the RL batches as well.
        original_contexts: share of the batches that are drawn from the host's own buffer instead.
        """
        self._original_contexts = share("original_contexts", original_contexts)
        self._stale_context = one_of("stale_context", stale_context, STALE_CONTEXT)
        self.hosts = task_buffers
        self.rng = rng
        self._accumulate = accumulate
        self._parts: dict[int, _Parts] = {}

    def takes_originals(self) -> bool:
        """Whether the next batch comes from the host's own buffer, by a coin."""
        return self._original_contexts > 0.0 and bool(self.rng.random() < self._original_contexts)

    def before_original(self, task: int, path: PathDict, kept: PathDict | None, iteration: int) -> None:
        """The host is about to store `path`, of which training keeps `kept` (the path
        itself, some of its steps, or nothing).
        """
        parts = self._synchronised(task)
        if kept is not path and parts.originals is None:
            parts.originals = clone_used(self.hosts[task])
        if kept is not None and parts.originals is not None:
            parts.originals.add_path(kept)
        parts.visited_in = iteration

    def after_original(self, task: int) -> None:
        """The host has stored it."""
        self._parts[task].host_size = self.hosts[task].num_steps_can_sample()

    def add_relabeled(self, task: int, path: PathDict, iteration: int) -> None:
        """A path, with the rewards of `task`, was relabeled to it."""
        parts = self._synchronised(task)
        if parts.relabeled is None:
            parts.relabeled = empty_like(self.hosts[task])
        if parts.relabeled_in != iteration and not self._accumulate:
            parts.relabeled.clear()
        parts.relabeled_in = iteration
        parts.relabeled.add_path(path)
        if parts.visited_in != iteration and self._stale_context == "drop" and not self._accumulate:
            parts.originals = empty_like(self.hosts[task])

    def views(self) -> dict[int, TaskBuffer]:
        """A stand-in for each task's buffer that draws from its training context; the
        host's own where that is the same.
        """
        return {
            task: host if self.sources(task) == [host] else _View(self, task, host)
            for task, host in self.hosts.items()
        }

    def sources(self, task: int) -> list[TaskBuffer]:
        """The buffers that make up a task's training context, one or two."""
        parts = self._synchronised(task)
        host = self.hosts[task]
        originals = host if parts.originals is None else parts.originals
        return [
            part for part in (originals, parts.relabeled) if part is not None and part.num_steps_can_sample()
        ] or [host]

    def rebind(self, task_buffers: Mapping[int, TaskBuffer]) -> None:
        """The host has put other buffers in the place of its own: begin anew with those that are new."""
        self._parts = {
            task: parts
            for task, parts in self._parts.items()
            if task_buffers.get(task) is self.hosts.get(task)
        }
        self.hosts = task_buffers

    def _synchronised(self, task: int) -> _Parts:
        """Hosts clear their per-task buffers directly: an empty one that held something
        has been cleared. They also make new ones.
        """
        parts = self._parts.setdefault(plain_indices([task])[0], _Parts())
        size = self.hosts[task].num_steps_can_sample()
        if size == 0 and parts.host_size > 0:
            parts.originals = None
        parts.host_size = size
        return parts

    def state_dict(self) -> State:
        """Both parts of every task; the buffers are those of a host whose buffers have a `state_dict`."""
        parts = {task: _parts_state(parts) for task, parts in self._parts.items()}
        return dict(rng=rng_state(self.rng), parts=parts)

    def load_state_dict(self, state: State) -> None:
        set_rng_state(self.rng, state["rng"])
        self._parts = {}
        for task, saved in state["parts"].items():
            numbers = {name: saved[name] for name in _NUMBERS}
            buffers = {name: self._restored(task, saved[name]) for name in _BUFFERS}
            self._parts[task] = _Parts(buffers["originals"], buffers["relabeled"], **numbers)

    def _restored(self, task: int, saved: State | None) -> TaskBuffer | None:
        if saved is None:
            return None
        buffer = empty_like(self.hosts[task])
        buffer.load_state_dict(saved)
        return buffer


_BUFFERS, _NUMBERS = ("originals", "relabeled"), ("host_size", "visited_in", "relabeled_in")


def _parts_state(parts: _Parts) -> State:
    buffers = {name: getattr(parts, name) for name in _BUFFERS}
    saved = {name: None if buffer is None else buffer.state_dict() for name, buffer in buffers.items()}
    return {**saved, **{name: getattr(parts, name) for name in _NUMBERS}}
