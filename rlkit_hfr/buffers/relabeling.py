"""Relabeling replay buffers: a host's own multi-task buffer class, with paths routed on their way in."""
from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from rlkit_hfr.buffers.router import RelabelingRouter
from rlkit_hfr.buffers.training_context import TrainingContext
from rlkit_hfr.paths import Path
from rlkit_hfr.pearl.buffers import MultiTaskReplayBuffer

_OWN_STATE = ("_router", "_context", "_serving_training", "_storing")


class RelabelingMixin:
    """Over a multi-task buffer with `task_buffers`, `add_path(s)` and `random_batch(task, batch_size, ...)`.

    Until `start_relabeling` it behaves as its base class. The RL buffer then stores paths under the task that they were relabeled to.
    The encoder buffer goes on storing what the host gives it, and keeps the training context beside it, which `random_batch` serves
    inside `training_context`.
    """

    task_buffers: dict[Any, Any]
    _router: RelabelingRouter | None = None
    _context: TrainingContext | None = None
    _serving_training = False
    _storing = False

    def start_relabeling(self, router: RelabelingRouter, context: TrainingContext | None = None) -> None:
        """Route paths from now on. context: of the encoder buffer; None makes this the RL buffer."""
        self._router, self._context = router, context

    def stop_relabeling(self) -> None:
        for name in _OWN_STATE:
            self.__dict__.pop(name, None)

    def add_path(self, task: Any, path: Path) -> None:
        base: Any = super()
        if self._router is None or self._storing:
            base.add_path(task, path)
        else:
            self._add_routed(base.add_path, task, [path])

    def add_paths(self, task: Any, paths: Sequence[Path]) -> None:
        base: Any = super()
        if self._router is None or self._storing:
            base.add_paths(task, paths)
        else:
            self._add_routed(base.add_path, task, paths)

    def _add_routed(self, add_path: Callable[[Any, Path], None], task: Any, paths: Sequence[Path]) -> None:
        assert self._router is not None
        self._storing = True  # a base class may build one of its add methods on the other
        try:
            if self._context is None:
                self._add_to_rl(self._router, add_path, task, paths)
            else:
                self._add_to_encoder(self._router, self._context, add_path, task, paths)
        finally:
            self._storing = False

    @staticmethod
    def _add_to_rl(router: RelabelingRouter, add_path: Callable[[Any, Path], None], task: Any, paths: Sequence[Path]) -> None:
        for route in router.routes("rl", task, paths):
            if route.kept is not None:
                add_path(task, route.kept)
            for new_task, path in route.relabeled:
                add_path(new_task, path)

    @staticmethod
    def _add_to_encoder(
        router: RelabelingRouter, context: TrainingContext, add_path: Callable[[Any, Path], None], task: Any, paths: Sequence[Path]
    ) -> None:
        for route in router.routes("encoder", task, paths):
            context.before_original(task, route.path, route.kept, router.iteration)
            add_path(task, route.path)
            context.after_original(task)
            for new_task, path in route.relabeled:
                context.add_relabeled(new_task, path, router.iteration)

    @contextmanager
    def training_context(self) -> Iterator[None]:
        """Serve `random_batch` from the training context within the block."""
        self._serving_training = True
        try:
            yield
        finally:
            self._serving_training = False

    def random_batch(self, task: Any, batch_size: int, *args: Any, **options: Any) -> dict[str, Any]:
        base: Any = super()
        if self._context is None or not self._serving_training:
            return base.random_batch(task, batch_size, *args, **options)

        def sample(buffer: Any, number: int) -> dict[str, Any]:
            host = self.task_buffers[task]
            self.task_buffers[task] = buffer
            try:
                return base.random_batch(task, number, *args, **options)
            finally:
                self.task_buffers[task] = host

        return self._context.random_batch(task, batch_size, sample)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the host's own class, without the relabeling."""
        base = type(self).__mro__[2]
        state = {key: value for key, value in vars(self).items() if key not in _OWN_STATE}
        return _rebuild, (base,), state


def _rebuild(cls: Any) -> Any:
    return cls.__new__(cls)


@cache
def relabeling_buffer_class(base: Any) -> Any:
    """The relabeling subclass of a host's multi-task buffer class. Instances can be switched over by assigning their `__class__`."""
    missing = [name for name in ("add_path", "add_paths", "random_batch") if not callable(getattr(base, name, None))]
    if missing:
        raise ValueError(f"{base.__name__} is no multi-task replay buffer: it has no {', '.join(missing)}")
    bases: tuple[Any, ...] = (RelabelingMixin, base)
    return types.new_class(f"Relabeling{base.__name__}", bases)


class RelabelingMultiTaskReplayBuffer(RelabelingMixin, MultiTaskReplayBuffer):
    """`relabeling_buffer_class(MultiTaskReplayBuffer)` of the carried PEARL, by name."""
