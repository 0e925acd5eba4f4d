"""The figures of relabeling, into the host's log and beside it in the run's folder."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from rlkit_hfr.buffers.router import RelabelingRouter
from rlkit_hfr.buffers.sampled_batches import SampledBatches
from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.files import replacing
from rlkit_hfr.hosts.wrappers import Wrapper, still_ours
from rlkit_hfr.protocols import HostAlgorithm, TableLogger

FOLDER = "relabeling"


def save_diagnostics(run: Path, epoch: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Write ``relabeling/epoch_N.npz`` into a run's folder: the arrays of
    `RelabelStatistics.arrays`, in single precision.
    """
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    single = {
        name: array.astype(np.float32) if array.dtype == np.float64 else array
        for name, array in arrays.items()
    }
    with replacing(folder / f"epoch_{epoch}.npz") as file:
        np.savez_compressed(file, **single)  # type: ignore[arg-type]


def is_our_column(key: str) -> bool:
    return key.startswith("relabel/")


def has_our_columns(keys: Iterable[str] | None) -> bool:
    return keys is not None and any(is_our_column(key) for key in keys)


_KEYS = "_old_table_keys"  # where both hosts remember the columns of their first row


def table_keys(algorithm: object) -> Collection[str] | None:
    """The columns that the algorithm's rows are to have; None before its first row."""
    return getattr(algorithm, _KEYS, None)


def set_table_keys(algorithm: object, keys: Collection[str] | None) -> None:
    setattr(algorithm, _KEYS, keys)


def forget_our_columns(algorithm: object) -> None:
    """Let the next rows be without our columns."""
    keys = table_keys(algorithm)
    if keys is not None and has_our_columns(keys):
        set_table_keys(algorithm, {key for key in keys if not is_our_column(key)})


class EvaluateOfACopy:
    """The `evaluate` of a copy of an algorithm that relabels and has logged rows: the copy
    does not relabel, and its rows have no such columns. The first call forgets them and
    gives the method its place back.
    """

    def __init__(self, algorithm: object, name: str) -> None:
        self._algorithm = algorithm
        self._name = name

    def __call__(self, *args: object, **options: object) -> object:
        algorithm = self._algorithm
        vars(algorithm).pop(self._name, None)
        forget_our_columns(algorithm)
        return getattr(algorithm, self._name)(*args, **options)


class RecordingEvaluate(Wrapper):
    """Records the relabeling's columns once the host has recorded its own: written earlier
    they would suppress some of the host's.
    """

    def __reduce__(self) -> tuple[object, ...]:
        if has_our_columns(table_keys(self._algorithm)):
            return EvaluateOfACopy, (self._algorithm, self._name)
        return super().__reduce__()

    def __init__(
        self,
        algorithm: HostAlgorithm,
        name: str,
        statistics: RelabelStatistics,
        logger: TableLogger | None,
        router: RelabelingRouter,
        sampled: SampledBatches | None = None,
    ) -> None:
        super().__init__(algorithm, name)
        self._statistics = statistics
        self._logger = logger
        self._router = router
        self._sampled = sampled
        self._warned = False

    def __call__(self, *args: object, **options: object) -> object:
        # rlkit's evaluation asks for several tasks at once
        with ExitStack() as stack:
            for buffer in (self._algorithm.enc_replay_buffer, self._algorithm.replay_buffer):
                if still_ours(buffer):
                    stack.enter_context(buffer.originals_only())
            result = self._method(*args, **options)
        columns = self._statistics.report()
        if self._logger is not None:
            for key, value in columns.items():
                self._logger.record_tabular(key, value)
            folder = self._logger.get_snapshot_dir() if hasattr(self._logger, "get_snapshot_dir") else None
            if (
                folder is not None
                and columns["relabel/paths relabeled"] + columns["relabel/sampled transitions relabeled"] > 0
                and args
                and isinstance(args[0], int)
            ):
                save_diagnostics(Path(folder), args[0], self._statistics.arrays())
        self._warn_of_requests()
        return result

    def _warn_of_requests(self) -> None:
        """Once, if training has asked for nothing that would tell it from collection."""
        if self._router.iteration == 0 or self._warned:
            return
        if self._sampled is not None and self._sampled.requests == 0:
            self._warned = True
            warnings.warn(
                "the host trains, but asked for no RL batch of several tasks at once, so that none is"
                " relabeled; choose a relabeler of paths",
                stacklevel=3,
            )
        elif self._router.training_requests == 0:
            self._warned = True
            warnings.warn(
                "the host trains, but asked for no context of several tasks at once, by which training is"
                " told from collection; it sees relabeled data in its RL batches alone",
                stacklevel=3,
            )
