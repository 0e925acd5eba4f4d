"""What relabeling needs of a PEARL algorithm, checked at `attach` and wrapped without editing the algorithm."""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from rlkit_hfr.buffers.relabeling import RelabelingMixin, relabeling_buffer_class
from rlkit_hfr.buffers.router import RelabelingRouter
from rlkit_hfr.buffers.training_context import TrainingContext
from rlkit_hfr.hosts.networks import OysterNetworks


class UnsupportedHost(ValueError):
    """The algorithm lacks something that relabeling needs; the message says what was found, what is needed and what to do."""


class OysterHost:
    """Adapter for the oyster family: the algorithm itself holds the networks and has `sample_context`."""

    NEEDED = (
        "agent", "qf1", "qf2", "target_vf", "replay_buffer", "enc_replay_buffer", "sample_context", "evaluate",
        "reward_scale", "discount", "embedding_batch_size", "train_tasks", "env",
    )

    @classmethod
    def serves(cls, algorithm: Any) -> bool:
        return all(hasattr(algorithm, name) for name in cls.NEEDED)

    def __init__(self, algorithm: Any) -> None:
        self._check(algorithm)
        self.algorithm = algorithm
        self.env = algorithm.env
        self.networks = OysterNetworks(algorithm)
        self._wrapped: list[str] = []
        self._buffer_classes: list[tuple[Any, type]] = []

    @classmethod
    def _check(cls, algorithm: Any) -> None:
        found = f"got {type(algorithm).__name__}"
        if hasattr(algorithm, "relabel_method"):
            raise UnsupportedHost(f"{found}, which relabels by itself (relabel_method); attach to a PEARL without relabeling")
        missing = [name for name in cls.NEEDED if not hasattr(algorithm, name)]
        if missing:
            raise UnsupportedHost(f"{found} without {', '.join(missing)}; expected a PEARL algorithm with separate RL and encoder buffers")
        for name in ("replay_buffer", "enc_replay_buffer"):
            if isinstance(getattr(algorithm, name), RelabelingMixin) and getattr(algorithm, name)._router is not None:
                raise UnsupportedHost(f"{found}, to which a relabeler is attached already; call its detach() first")
        if algorithm.replay_buffer is algorithm.enc_replay_buffer:
            raise UnsupportedHost(f"{found} whose RL and encoder buffer are one object; expected two")
        train_tasks = cls._task_ids(algorithm)
        unknown = [task for task in train_tasks if task not in algorithm.replay_buffer.task_buffers]
        if unknown or not train_tasks:
            raise UnsupportedHost(f"{found} whose train_tasks {unknown} are no keys of replay_buffer.task_buffers; expected task indices")
        cls._check_context_width(algorithm, found)

    @staticmethod
    def _check_context_width(algorithm: Any, found: str) -> None:
        obs, action = (int(space.shape[0]) for space in (algorithm.env.observation_space, algorithm.env.action_space))
        width = obs + action + 1 + (obs if getattr(algorithm, "use_next_obs_in_context", False) else 0)
        actual = getattr(algorithm.agent.context_encoder, "input_size", width)
        if actual != width:
            raise UnsupportedHost(
                f"{found} whose context encoder takes rows of {actual}; expected {width}: observation {obs}, action {action}, reward 1"
                f"{', next observation' if width > obs + action + 1 else ''}"
            )

    @staticmethod
    def _task_ids(algorithm: Any) -> list[Any]:
        indices = getattr(algorithm, "train_task_indices", None)
        return list(algorithm.train_tasks if indices is None else indices)

    @property
    def train_tasks(self) -> list[Any]:
        return self._task_ids(self.algorithm)

    @property
    def task_buffers(self) -> dict[Any, Any]:
        """The encoder buffer's per-task buffers."""
        return self.algorithm.enc_replay_buffer.task_buffers

    def install(self, router: RelabelingRouter, context: TrainingContext, columns: Callable[[], dict[str, float]]) -> None:
        """Route the buffers' paths, serve training requests from `context`, and record `columns` with every evaluation."""
        self._relabel(self.algorithm.replay_buffer, router, None)
        self._relabel(self.algorithm.enc_replay_buffer, router, context)
        sample_context, evaluate = self.algorithm.sample_context, self.algorithm.evaluate
        encoder_buffer = self.algorithm.enc_replay_buffer

        def sample_training_context(indices: Any, *args: Any, **options: Any) -> Any:
            if not isinstance(indices, Iterable):  # one task: collection or evaluation, on original data
                return sample_context(indices, *args, **options)
            router.networks_updated()
            with encoder_buffer.training_context():
                return sample_context(indices, *args, **options)

        def evaluate_and_record(*args: Any, **options: Any) -> Any:
            result = evaluate(*args, **options)
            logger = self._logger()
            for key, value in columns().items():
                logger.record_tabular(key, value)
            return result

        self._wrap("sample_context", sample_training_context)
        self._wrap("evaluate", evaluate_and_record)

    def _logger(self) -> Any:
        """The logger that the host records with: the global of the module that defines `_try_to_eval`."""
        for cls in type(self.algorithm).__mro__:
            if "_try_to_eval" in vars(cls):
                return vars(sys.modules[cls.__module__])["logger"]
        raise UnsupportedHost(f"{type(self.algorithm).__name__} has no _try_to_eval, so its logger can't be found")

    def _relabel(self, buffer: Any, router: RelabelingRouter, context: TrainingContext | None) -> None:
        # The class is switched in place, because hosts keep other references to their buffers.
        self._buffer_classes.append((buffer, type(buffer)))
        if not isinstance(buffer, RelabelingMixin):
            cls: Any = type(buffer)
            buffer.__class__ = relabeling_buffer_class(cls)
        buffer.start_relabeling(router, context)

    def _wrap(self, name: str, function: Callable[..., Any]) -> None:
        setattr(self.algorithm, name, function)
        self._wrapped.append(name)

    def remove(self) -> None:
        """Undo `install`."""
        for buffer, cls in self._buffer_classes:
            buffer.stop_relabeling()
            buffer.__class__ = cls
        for name in self._wrapped:
            delattr(self.algorithm, name)
        self._buffer_classes, self._wrapped = [], []
