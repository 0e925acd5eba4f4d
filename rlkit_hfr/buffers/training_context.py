"""The context that training sees: each task's own trajectories and those that were relabeled to it, kept apart from the host's buffer."""
from __future__ import annotations

from collections.abc import Mapping
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


class _Mixture:
    """Draws from two per-task buffers as if they were one; everything else is asked of the first."""

    def __init__(self, first: Any, second: Any, rng: np.random.Generator) -> None:
        self._first, self._second, self._rng = first, second, rng

    def num_steps_can_sample(self) -> int:
        return self._first.num_steps_can_sample() + self._second.num_steps_can_sample()

    def random_batch(self, batch_size: int, *args: Any, **options: Any) -> dict[str, Any]:
        """A uniform batch of the union."""
        of_second = int(self._rng.binomial(batch_size, self._second.num_steps_can_sample() / self.num_steps_can_sample()))
        counts = ((self._first, batch_size - of_second), (self._second, of_second))
        batches = [part.random_batch(count, *args, **options) for part, count in counts if count]
        return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._first, name)


class TrainingContext:
    """Per task two parts: its originals (the host's adds and clears, less what moved away) and the paths relabeled to it in the latest
    iteration in which it got any.

    A path relabeled to a task that was not visited in its iteration retires the task's originals as stale (``stale_context="drop"``;
    "keep" leaves them). If both parts are empty, the host's buffer serves. With nothing relabeled it always does.
    """

    def __init__(
        self, task_buffers: Mapping[Any, Any], rng: np.random.Generator, stale_context: str = "drop", accumulate: bool = False
    ) -> None:
        """task_buffers: the host's encoder buffers by task, which are read and never written; rng: of the mixture of both parts.

        accumulate: keep all relabeled paths and all originals, for a host whose one buffer serves the RL batches as well.
        """
        if stale_context not in STALE_CONTEXT:
            raise ValueError(f"stale_context must be one of {', '.join(STALE_CONTEXT)}, got {stale_context!r}")
        self._hosts, self._rng, self._stale_context, self._accumulate = task_buffers, rng, stale_context, accumulate
        self._parts: dict[Any, _Parts] = {}

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
        if parts.relabeled_in != iteration and not self._accumulate:
            parts.relabeled.clear()
        parts.relabeled_in = iteration
        parts.relabeled.add_path(path)
        if parts.visited_in != iteration and self._stale_context == "drop" and not self._accumulate:
            parts.originals = empty_like(self._hosts[task])

    def views(self) -> dict[Any, Any]:
        """A per-task buffer for each task that draws from its training context; the host's own where that is the same."""
        return {task: self._view(task) for task in self._hosts}

    def _view(self, task: Any) -> Any:
        parts = self._synchronised(task)
        host = self._hosts[task]
        originals = host if parts.originals is None else parts.originals
        filled = [part for part in (originals, parts.relabeled) if part is not None and part.num_steps_can_sample()]
        if len(filled) < 2:
            return filled[0] if filled else host
        return _Mixture(filled[0], filled[1], self._rng)

    def _synchronised(self, task: Any) -> _Parts:
        """Hosts clear their per-task buffers directly: an empty one that held something has been cleared. They also make new ones."""
        parts = self._parts.setdefault(task, _Parts())
        size = self._hosts[task].num_steps_can_sample()
        if size == 0 and parts.host_size > 0:
            parts.originals = None
        parts.host_size = size
        return parts
