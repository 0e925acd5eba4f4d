"""Relabeling replay buffers: a host's own multi-task buffer class, with paths routed on their way in."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from rlkit_hfr.buffers.router import RelabelingRouter
from rlkit_hfr.buffers.sampled_batches import SampledBatches
from rlkit_hfr.buffers.training_context import TrainingContext
from rlkit_hfr.buffers.training_requests import batch_methods, tasks_asked_for
from rlkit_hfr.paths import PathDict
from rlkit_hfr.protocols import TaskBuffer
from rlkit_hfr.replay_buffer import MultiTaskReplayBuffer, SimpleReplayBuffer
from rlkit_hfr.state import plain_indices

T = TypeVar("T")

_OWN_STATE = ("_router", "_context", "_sampled", "_both_roles", "_serving", "_storing", "_kept")


class RelabelingMixin:
    """Over a multi-task buffer with `task_buffers`, `add_path(s)` and `random_batch(task, batch_size, ...)`.

    Until `start_relabeling` it behaves as its base class. The RL buffer then stores
    paths under the task that they were relabeled to, and relabels sampled batches inside
    `sampling_request`, where a relabeler does that. The encoder buffer goes on storing
    what the host gives it, and keeps the training context beside it, which serves
    batches inside `training_request`, and so those of its own methods that draw batches
    for several tasks.
    """

    task_buffers: Mapping[int, TaskBuffer]
    _router: RelabelingRouter | None = None
    _context: TrainingContext | None = None
    _sampled: SampledBatches | None = None
    _both_roles = False
    _serving = False
    _storing = False
    _kept: Mapping[int, TaskBuffer] | None = None

    @property
    def is_relabeling(self) -> bool:
        return self._router is not None

    def start_relabeling(
        self,
        router: RelabelingRouter,
        context: TrainingContext | None = None,
        both_roles: bool = False,
        sampled: SampledBatches | None = None,
    ) -> None:
        """Route paths from now on. context: of the encoder buffer; None makes this the RL
        buffer. both_roles: it is the RL buffer, too. sampled: relabels batches of the RL buffer.
        """
        self._router = router
        self._context = context
        self._both_roles = both_roles
        self._sampled = sampled

    def stop_relabeling(self) -> None:
        for name in _OWN_STATE:
            self.__dict__.pop(name, None)

    def add_path(self, *args: Any, **options: Any) -> None:
        base: Any = super()
        if self._router is None or self._storing:
            return base.add_path(*args, **options)
        task, path = (*args, *options.values())[:2]
        self._add_routed(base.add_path, task, [path])

    def add_paths(self, *args: Any, **options: Any) -> None:
        base: Any = super()
        if self._router is None or self._storing:
            return base.add_paths(*args, **options)
        task, paths = (*args, *options.values())[:2]
        self._add_routed(base.add_path, task, list(paths))

    def _add_routed(
        self, add_path: Callable[[int, PathDict], None], task: int, paths: Sequence[PathDict]
    ) -> None:
        assert self._router is not None
        (task,) = plain_indices([task])
        self._storing = True  # a base class may build one of its add methods on the other
        serving, self.task_buffers = self.task_buffers, self._originals()
        try:
            if self._context is None:
                self._add_to_rl(self._router, add_path, task, paths, self._sampled)
            else:
                self._add_to_encoder(self._router, self._context, add_path, task, paths, self._both_roles)
        finally:
            self._storing = False
            self.task_buffers = serving

    def _originals(self) -> Mapping[int, TaskBuffer]:
        """The host's own per-task buffers, also while a training request is served; the
        context is told if they are others than before.
        """
        originals = self.task_buffers if self._kept is None else self._kept
        if self._context is not None and self._context.hosts is not originals:
            self._context.rebind(originals)
        return originals

    @staticmethod
    def _add_to_rl(
        router: RelabelingRouter,
        add_path: Callable[[int, PathDict], None],
        task: int,
        paths: Sequence[PathDict],
        sampled: SampledBatches | None,
    ) -> None:
        for route in router.routes("rl", task, paths):
            if sampled is not None:
                sampled.stored(route.path)
            if route.kept is not None:
                add_path(task, route.kept)
            for new_task, path in route.relabeled:
                add_path(new_task, path)

    @staticmethod
    def _add_to_encoder(
        router: RelabelingRouter,
        context: TrainingContext,
        add_path: Callable[[int, PathDict], None],
        task: int,
        paths: Sequence[PathDict],
        both_roles: bool,
    ) -> None:
        routes = router.routes("encoder", task, paths)
        if both_roles:
            router.routes("rl", task, paths)  # nobody else will ask
        for route in routes:
            context.before_original(task, route.path, route.kept, router.iteration)
            add_path(task, route.path)
            context.after_original(task)
            for new_task, path in route.relabeled:
                context.add_relabeled(new_task, path, router.iteration)

    @contextmanager
    def training_request(self) -> Iterator[None]:
        """Within the block, batches are drawn from the training context. A block inside
        another changes nothing.
        """
        if self._context is None or self._router is None or self._serving:
            yield
            return
        self._router.training_requested()
        context = self._context
        with self._serving_from(lambda originals: context.views()):
            yield

    @contextmanager
    def sampling_request(self, tasks: Sequence[int]) -> Iterator[None]:
        """Within the block, batches of the RL buffer are relabeled among `tasks`, the tasks of one request.
        A block inside another changes nothing.
        """
        if self._sampled is None or self._serving or not self._sampled.serves(tasks):
            yield
            return
        sampled = self._sampled
        with self._serving_from(lambda originals: sampled.views(tasks, originals)):
            yield

    @contextmanager
    def _serving_from(
        self, views: Callable[[Mapping[int, TaskBuffer]], Mapping[int, TaskBuffer]]
    ) -> Iterator[None]:
        """Within the block, these views of the host's own per-task buffers stand in their place."""
        self._kept = self._originals()
        self._serving = True
        self.task_buffers = views(self._kept)
        try:
            yield
        finally:
            self.task_buffers = self._kept
            self._kept = None
            self._serving = False

    @contextmanager
    def originals_only(self) -> Iterator[None]:
        """Within the block no request is a training request: evaluation reads what the host itself stored."""
        before, self._serving = self._serving, True
        try:
            yield
        finally:
            self._serving = before

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as the host's own class, without the relabeling."""
        base = next(cls for cls in type(self).__mro__ if not issubclass(cls, RelabelingMixin))
        own = getattr(super(), "__getstate__", None)  # every object has one from Python 3.11 on
        state = vars(self) if own is None else own()
        if isinstance(state, dict):
            state = {key: value for key, value in state.items() if key not in _OWN_STATE}
        return _rebuild, (base,), state


def _rebuild(cls: type[T]) -> T:
    return cls.__new__(cls)


@lru_cache(maxsize=None)
def relabeling_buffer_class(base: type) -> type:
    """The relabeling subclass of a host's multi-task buffer class. Instances can be
    switched over by assigning their `__class__`.

    Methods of the base that draw batches through ``random_batch``, whatever their name,
    serve the training context when they are asked for several tasks at once.
    """
    missing = [
        name for name in ("add_path", "add_paths", "random_batch") if not callable(getattr(base, name, None))
    ]
    if missing:
        raise ValueError(f"{base.__name__} is no multi-task replay buffer: it has no {', '.join(missing)}")
    bases: tuple[object, ...] = (RelabelingMixin, base)
    methods = {name: _serving_method(name) for name in batch_methods(base)}
    return types.new_class(
        f"Relabeling{base.__name__}", bases, exec_body=lambda namespace: namespace.update(methods)
    )


def _serving_method(name: str) -> Callable[..., object]:
    """A method of the buffer that draws batches: for several tasks it is a training request."""

    def method(self: RelabelingMixin, *args: object, **options: object) -> object:
        base = getattr(super(RelabelingMixin, self), name)
        tasks = tasks_asked_for(args, options, self.task_buffers)
        if tasks is None:
            return base(*args, **options)
        with self.training_request(), self.sampling_request(tasks):
            return base(*args, **options)

    method.__name__ = name
    return method


class RelabelingMultiTaskReplayBuffer(RelabelingMixin, MultiTaskReplayBuffer):
    """`relabeling_buffer_class(MultiTaskReplayBuffer)` of the built-in PEARL, by name."""

    task_buffers: dict[int, SimpleReplayBuffer]
