"""What relabeling needs of any PEARL algorithm, and how it is put in place and taken away
without editing the algorithm.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any, cast

from rlkit_hfr.buffers.relabeling_buffer import RelabelingMixin, relabeling_buffer_class
from rlkit_hfr.buffers.router import RelabelingRouter
from rlkit_hfr.buffers.sampled_batches import SampledBatches
from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.buffers.training_context import TrainingContext
from rlkit_hfr.buffers.training_requests import batch_methods
from rlkit_hfr.context_model import InnerSteps
from rlkit_hfr.hosts.calling import HostNetworks
from rlkit_hfr.hosts.errors import UnsupportedHost
from rlkit_hfr.hosts.recording import RecordingEvaluate, forget_our_columns, set_table_keys, table_keys
from rlkit_hfr.hosts.refusals import refuse, task_ids
from rlkit_hfr.hosts.wrappers import TrainingRequest, Wrapper
from rlkit_hfr.protocols import Critics, HostAlgorithm, MultiTaskBuffer, TableLogger

if TYPE_CHECKING:
    from rlkit_hfr.mier.agent import TaskModel


class Host:
    """An algorithm with `agent`, `env`, a `replay_buffer` and an `enc_replay_buffer` with
    `task_buffers`, and networks on `owner`.

    A family says who the owner is (`owner_of`), whether an algorithm is one of its own
    (`serves`) and what it can't serve (`refusal`).
    """

    name: str
    needed = ("agent", "env", "replay_buffer", "enc_replay_buffer")
    owner_needs = ("qf1", "qf2")

    @classmethod
    def owner_of(cls, algorithm: object) -> object:
        """The object that holds the critics, the reward scale and the discount."""
        raise NotImplementedError

    @classmethod
    def missing(cls, algorithm: object) -> list[str]:
        """What the family needs and the algorithm lacks."""
        lacks = [name for name in cls.needed if getattr(algorithm, name, None) is None]
        owner = cls.owner_of(algorithm)
        return lacks + [name for name in cls.owner_needs if getattr(owner, name, None) is None]

    def __init__(self, algorithm: HostAlgorithm, seed: int) -> None:
        found = f"got {type(algorithm).__name__}"
        refuse(algorithm, found, self.name, self.missing(algorithm))
        self.algorithm = algorithm
        self.env = algorithm.env
        self.train_tasks = task_ids(algorithm, found)
        self.networks = HostNetworks(algorithm, cast(Critics, self.owner_of(algorithm)), seed)
        self.one_buffer = algorithm.replay_buffer is algorithm.enc_replay_buffer
        self._wrapped: dict[str, object] = {}
        self._buffer_classes: list[tuple[RelabelingMixin, type]] = []
        # what the built-in PEARL writes into variant.json; other hosts' launchers have written theirs
        self._log_settings = getattr(algorithm, "log_settings", None)
        self._named = False  # in these settings, by `install`

    @property
    def reward_model(self) -> tuple[TaskModel, InnerSteps] | None:
        """The algorithm's own model of rewards and how it adapts, None if it has none."""
        return getattr(self.algorithm, "reward_model", None)

    def install(
        self,
        router: RelabelingRouter,
        context: TrainingContext,
        statistics: RelabelStatistics,
        sampled: SampledBatches | None = None,
    ) -> None:
        """Route the buffers' paths, serve training requests from `context` and their RL batches from
        `sampled`, and record `statistics` with every evaluation.
        """
        buffers: list[tuple[MultiTaskBuffer, TrainingContext | None]] = [
            (self.algorithm.enc_replay_buffer, context)
        ]
        if not self.one_buffer:
            buffers.append((self.algorithm.replay_buffer, None))
        for buffer, _ in buffers:  # refuses what is no buffer before anything is changed
            relabeling_buffer_class(type(buffer))
        logger = self._logger()
        self._make_room_in(logger, statistics)
        attributes = ("enc_replay_buffer", "replay_buffer") if self.one_buffer else ("enc_replay_buffer",)
        of_context = batch_methods(type(self.algorithm), *attributes)
        of_rl = [] if sampled is None else batch_methods(type(self.algorithm), "replay_buffer")
        requests = [name for name in dict.fromkeys([*of_context, *of_rl]) if name != "evaluate"]
        try:
            for buffer, its_context in buffers:
                self._switch(buffer, router, its_context, sampled)
            for name in requests:
                self._wrap(name, TrainingRequest(self.algorithm, name, name in of_context, name in of_rl))
            if hasattr(self.algorithm, "evaluate"):
                self._wrap(
                    "evaluate",
                    RecordingEvaluate(self.algorithm, "evaluate", statistics, logger, router, sampled),
                )
            if self._log_settings is not None and "relabeler" not in self._log_settings:
                self._log_settings["relabeler"] = router.relabeler.name
                self._named = True
        except BaseException:
            self.remove()
            raise

    def _logger(self) -> TableLogger | None:
        """The logger that the host records with: the global of the module that defines
        `_try_to_eval`, a module in oyster, an object in rlkit.
        """
        for cls in type(self.algorithm).__mro__:
            if "_try_to_eval" in vars(cls):
                logger = getattr(sys.modules.get(cls.__module__), "logger", None)
                if hasattr(logger, "record_tabular"):
                    return logger
        warnings.warn(
            f"{type(self.algorithm).__name__} has no logger that we know; read the figures from .statistics",
            stacklevel=4,
        )
        return None

    def _make_room_in(self, logger: TableLogger | None, statistics: RelabelStatistics) -> None:
        """Let the next row have our columns. Both hosts remember the keys of their first
        row, and a file has the columns of its first row.

        ValueError where such a file is written already.
        """
        keys = table_keys(self.algorithm)
        if keys is None or set(statistics.columns()) <= set(keys):
            return
        snapshot_dir = getattr(logger, "get_snapshot_dir", None)
        folder = None if snapshot_dir is None else snapshot_dir()
        if folder is not None:
            raise UnsupportedHost(
                f"{type(self.algorithm).__name__} has written rows into {folder}, whose columns are fixed;"
                " attach before train(), or let the logger begin another folder and set"
                " algorithm._old_table_keys to None"
            )
        set_table_keys(self.algorithm, None)

    def _switch(
        self,
        buffer: MultiTaskBuffer,
        router: RelabelingRouter,
        context: TrainingContext | None,
        sampled: SampledBatches | None,
    ) -> None:
        # The class is switched in place, because hosts keep other references to their buffers.
        cls = type(buffer)
        if not isinstance(buffer, RelabelingMixin):
            _become(buffer, relabeling_buffer_class(cls))
        assert isinstance(buffer, RelabelingMixin)
        self._buffer_classes.append((buffer, cls))
        buffer.start_relabeling(
            router, context, both_roles=self.one_buffer, sampled=sampled if context is None else None
        )

    def _wrap(self, name: str, wrapper: Wrapper) -> None:
        self._wrapped[name] = vars(self.algorithm).get(name, _ABSENT)
        setattr(self.algorithm, name, wrapper)

    @property
    def installed(self) -> bool:
        """Whether the algorithm relabels: after `install`, until `remove`."""
        return bool(self._buffer_classes)

    def remove(self) -> None:
        """Undo `install`."""
        for buffer, cls in self._buffer_classes:
            buffer.stop_relabeling()
            _become(buffer, cls)
        if self._wrapped:
            forget_our_columns(self.algorithm)
        for name, before in self._wrapped.items():
            if before is _ABSENT:
                delattr(self.algorithm, name)
            else:
                setattr(self.algorithm, name, before)
        if self._named and self._log_settings is not None:
            self._log_settings.pop("relabeler", None)
        self._buffer_classes = []
        self._wrapped = {}
        self._named = False


def _become(thing: Any, cls: type) -> None:
    thing.__class__ = cls


_ABSENT = object()
