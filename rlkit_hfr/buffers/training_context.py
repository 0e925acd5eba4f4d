"""The context that training sees: each task's own trajectories and those that were relabeled to it, kept apart from the host's buffer."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlkit_hfr.buffers.clone import clone_used, empty_like
from rlkit_hfr.paths import Path

STALE_CONTEXT = ("drop", "keep")


@dataclass
class _Parts:
    """One task's training context. Iterations count from 0; -1 is never."""

    originals: Any = None  # a buffer of its own, or None while the originals are exactly what the host's buffer holds
    relabeled: Any = None
    host_size: int = 0  # of the host's buffer when last seen, by which a clear of it is noticed
    visited_in: int = -1
    relabeled_in: int = -1


class TrainingContext:
    """Per task two parts: its originals (the host's adds and clears, less what moved away) and the paths relabeled to it in the latest
    iteration in which it got any.

    A path relabeled to a task that was not visited in its iteration retires the task's originals as stale (``stale_context="drop"``;
    "keep" leaves them). If both parts are empty, the host's buffer serves. With nothing relabeled it always does.
    """

    def __init__(self, task_buffers: Mapping[Any, Any], rng: np.random.Generator, stale_context: str = "drop") -> None:
        """task_buffers: the host's encoder buffers by task, which are read and never written; rng: of the mixture of both parts."""
        if stale_context not in STALE_CONTEXT:
            raise ValueError(f"stale_context must be one of {', '.join(STALE_CONTEXT)}, got {stale_context!r}")
        self._hosts, self._rng, self._stale_context = task_buffers, rng, stale_context
        self._parts = {task: _Parts() for task in task_buffers}

    def before_original(self, task: Any, path: Path, kept: Path | None, iteration: int) -> None:
        """The host is about to store `path`, of which training keeps `kept` (the path itself, some of its steps, or nothing)."""
        parts = self._synchronised(task)
        if kept is not path and parts.originals is None:
            parts.originals = clone_used(self._hosts[task])
        if kept is not None and parts.originals is not None:
            parts.originals.add_path(kept)
        parts.visited_in = iteration

    def after_original(self, task: Any) -> None:
        """The host has stored it."""
        self._parts[task].host_size = self._hosts[task].num_steps_can_sample()

    def add_relabeled(self, task: Any, path: Path, iteration: int) -> None:
        """A path, with the rewards of `task`, was relabeled to it."""
        parts = self._synchronised(task)
        if parts.relabeled is None:
            parts.relabeled = empty_like(self._hosts[task])
        if parts.relabeled_in != iteration:
            parts.relabeled.clear()
            parts.relabeled_in = iteration
        parts.relabeled.add_path(path)
        if parts.visited_in != iteration and self._stale_context == "drop":
            parts.originals = empty_like(self._hosts[task])

    def random_batch(self, task: Any, batch_size: int, sample: Callable[[Any, int], dict[str, Any]]) -> dict[str, Any]:
        """A uniform batch of the training context. sample(buffer, n): a batch of n rows of a per-task buffer, as the host draws it."""
        parts = self._synchronised(task)
        host = self._hosts[task]
        originals = host if parts.originals is None else parts.originals
        old, new = (0 if part is None else part.num_steps_can_sample() for part in (originals, parts.relabeled))
        if new == 0:
            return sample(originals if old else host, batch_size)
        if old == 0:
            return sample(parts.relabeled, batch_size)
        from_relabeled = int(self._rng.binomial(batch_size, new / (old + new)))
        counts = ((originals, batch_size - from_relabeled), (parts.relabeled, from_relabeled))
        batches = [sample(part, count) for part, count in counts if count]
        return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}

    def _synchronised(self, task: Any) -> _Parts:
        """Hosts clear their per-task buffers directly: an empty one that held something has been cleared."""
        parts = self._parts[task]
        size = self._hosts[task].num_steps_can_sample()
        if size == 0 and parts.host_size > 0:
            parts.originals = None
        parts.host_size = size
        return parts
