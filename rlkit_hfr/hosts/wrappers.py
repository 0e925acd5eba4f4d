"""Stand-ins for bound methods of an algorithm: what serves training requests."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from rlkit_hfr.buffers.relabeling_buffer import RelabelingMixin
from rlkit_hfr.buffers.training_requests import tasks_asked_for
from rlkit_hfr.protocols import HostAlgorithm

if TYPE_CHECKING:
    from typing import TypeGuard  # Python 3.10


class Wrapper:
    """Stands in for a bound method of the algorithm; pickles and copies as that method,
    without the relabeling.
    """

    def __init__(self, algorithm: HostAlgorithm, name: str) -> None:
        self._algorithm = algorithm
        self._name = name
        self._method = getattr(algorithm, name)
        self.__doc__ = self._method.__doc__

    def __reduce__(self) -> tuple[object, ...]:
        return getattr, (self._algorithm, self._name)


class TrainingRequest(Wrapper):
    """Serves requests for several tasks from the training context, or relabeled as they are sampled."""

    def __init__(self, algorithm: HostAlgorithm, name: str, of_context: bool, of_rl: bool) -> None:
        """of_context, of_rl: whether the method draws from the encoder's buffer, and from the RL buffer."""
        super().__init__(algorithm, name)
        self._of_context = of_context
        self._of_rl = of_rl

    def __call__(self, *args: object, **options: object) -> object:
        context, rl = self._algorithm.enc_replay_buffer, self._algorithm.replay_buffer
        tasks = tasks_asked_for(args, options, context.task_buffers)
        with ExitStack() as stack:
            if tasks is not None and self._of_context and still_ours(context):
                stack.enter_context(context.training_request())
            if tasks is not None and self._of_rl and still_ours(rl):
                stack.enter_context(rl.sampling_request(tasks))
            return self._method(*args, **options)


def still_ours(buffer: object) -> TypeGuard[RelabelingMixin]:
    """Whether the encoder buffer relabels: a host may have put another in its place."""
    return isinstance(buffer, RelabelingMixin) and buffer.is_relabeling
