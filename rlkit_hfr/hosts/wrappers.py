"""Stand-ins for bound methods of an algorithm: what serves training requests."""

from __future__ import annotations

from typing import Any

from rlkit_hfr.buffers.relabeling_buffer import RelabelingMixin
from rlkit_hfr.buffers.training_requests import asks_for_many


class Wrapper:
    """Stands in for a bound method of the algorithm; pickles and copies as that method,
    without the relabeling.
    """

    def __init__(self, algorithm: Any, name: str) -> None:
        self._algorithm, self._name = algorithm, name
        self._method = getattr(algorithm, name)
        self.__doc__ = self._method.__doc__

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._algorithm, self._name)


class TrainingRequest(Wrapper):
    """Serves requests for several tasks from the training context."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        buffer = self._algorithm.enc_replay_buffer
        if not still_ours(buffer) or not asks_for_many(args, options, buffer.task_buffers):
            return self._method(*args, **options)
        with buffer.training_request():
            return self._method(*args, **options)


def still_ours(buffer: Any) -> bool:
    """Whether the encoder buffer relabels: a host may have put another in its place."""
    return isinstance(buffer, RelabelingMixin) and buffer.is_relabeling
