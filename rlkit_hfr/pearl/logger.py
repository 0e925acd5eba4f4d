"""rlkit's log folder: progress.csv, debug.log, variant.json and snapshots, in rlkit's formats.

Like rlkit's, the logger is one object per process: one run per process.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import dateutil.tz
import numpy as np
import torch
from numpy.typing import ArrayLike

from rlkit_hfr.files import save_sealed, write_text
from rlkit_hfr.pearl.config import Settings
from rlkit_hfr.pearl.writers import PROGRESS, CSVRows, RowWriter, read_rows
from rlkit_hfr.state import State

DEBUG = "debug.log"
VARIANT = "variant.json"
LogRow = dict[str, float]  # a row of progress.csv, by column
SNAPSHOT_MODES = ("all", "last", "gap", "gap_and_last", "none")


class Logger:
    """Collects one row of figures per epoch and writes it with `dump_tabular`; without a
    folder it only collects.
    """

    def __init__(self) -> None:
        self._writers: list[RowWriter] = []
        self.reset()

    def reset(self) -> None:
        """Forget the folder, the columns and any half-collected row; close the writers."""
        self.close()
        self._dir: Path | None = None
        self._snapshot_mode = "last"
        self._snapshot_gap = 1
        self._prefixes: list[str] = []
        self._row: LogRow = {}
        self._csv = CSVRows()

    def set_snapshot_dir(self, log_dir: Path, mode: str = "last", gap: int = 1) -> None:
        if mode not in SNAPSHOT_MODES:
            raise ValueError(f"snapshot mode must be one of {', '.join(SNAPSHOT_MODES)}, got {mode!r}")
        self.reset()
        self._dir = log_dir
        self._snapshot_mode = mode
        self._snapshot_gap = gap
        self._csv.open(log_dir, {}, [])

    def open_writers(self, writers: Iterable[RowWriter], settings: Settings) -> None:
        """Copy every row to these as well, those that progress.csv has included. settings:
        of the run.
        """
        assert self._dir is not None, "set_snapshot_dir comes first"
        earlier = read_rows(self._dir / PROGRESS)
        for writer in writers:
            writer.open(self._dir, settings, earlier)
            self._writers.append(writer)

    def close(self) -> None:
        """No more rows come: let the writers beside progress.csv finish."""
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.close()

    def get_snapshot_dir(self) -> str | None:
        return None if self._dir is None else str(self._dir)

    def push_prefix(self, prefix: str) -> None:
        self._prefixes.append(prefix)

    def pop_prefix(self) -> None:
        self._prefixes.pop()

    def log(self, text: str) -> None:
        """Append a time-stamped line to debug.log."""
        if self._dir is not None:
            stamp = datetime.datetime.now(dateutil.tz.tzlocal()).strftime("%Y-%m-%d %H:%M:%S.%f %Z")
            with open(self._dir / DEBUG, "a") as file:
                file.write(f"{stamp} | {''.join(self._prefixes)}{text}\n")

    def record_tabular(self, key: str, value: float) -> None:
        self._row[key] = value

    def record_dict(self, values: LogRow) -> None:
        self._row.update(values)

    def get_table_key_set(self) -> set[str]:
        return set(self._row)

    def get_table_dict(self) -> LogRow:
        """The row as collected so far."""
        return dict(self._row)

    def dump_tabular(self) -> LogRow:
        """Write the row to progress.csv, to the other writers and, as a table, to
        debug.log; returns it. The folder's first row fixes the columns.
        """
        row = {key: _plain(value) for key, value in self._row.items()}
        self._row = {}
        if self._dir is None:
            return row
        for writer in (self._csv, *self._writers):
            writer.write(row)
        width = max(map(len, row))
        self.log("\n" + "\n".join(f"{key:<{width}}  {value}" for key, value in row.items()))
        return row

    def state_dict(self) -> State:
        """The columns, how long the files are between two rows, and the SHA-256 of progress.csv."""
        assert self._dir is not None
        sizes = dict(progress_size=self._csv.size, debug_size=_size(self._dir / DEBUG))
        return dict(columns=self._csv.columns, progress_sha256=self._csv.digest.hexdigest(), **sizes)

    def load_state_dict(self, state: State) -> None:
        """Go on after a `state_dict`: what progress.csv and debug.log got since is cut off.

        ValueError, before either is touched, if one lacks something or is another file
        than it was. A state of version
        0.1.0 has no checksum.
        """
        assert self._dir is not None
        sizes = (
            state["sizes"]
            if "sizes" in state
            else {PROGRESS: state["progress_size"], DEBUG: state["debug_size"]}
        )
        if set(sizes) != {PROGRESS, DEBUG} or not all(
            type(size) is int and size >= 0 for size in sizes.values()
        ):
            raise ValueError(
                f"the checkpoint speaks of other files than {PROGRESS} and {DEBUG}, or of no sizes: {sizes!r}"
            )
        columns = state["columns"]
        if columns is not None and not (
            isinstance(columns, list) and all(isinstance(name, str) for name in columns)
        ):
            raise ValueError("the checkpoint's columns are no list of names")
        for name, size in sizes.items():
            found = _size(self._dir / name)
            if found < size:
                found_in = f"{self._dir / name} has {found} bytes"
                raise ValueError(
                    f"{found_in}, fewer than the {size} that the checkpoint was written with; put the whole"
                    " file back, or start anew"
                )
        digest = hashlib.sha256()
        if sizes[PROGRESS]:
            with open(self._dir / PROGRESS, "rb") as file:
                digest.update(file.read(sizes[PROGRESS]))
        if "sizes" not in state and digest.hexdigest() != state["progress_sha256"]:
            raise ValueError(
                f"{self._dir / PROGRESS} is not the file that the checkpoint was written with; put that back,"
                " or start anew"
            )
        for name, size in sizes.items():
            if (self._dir / name).exists():
                os.truncate(self._dir / name, size)
        self._csv.columns = columns
        self._csv.size = sizes[PROGRESS]
        self._csv.digest = digest

    def save_itr_params(self, itr: int, params: State) -> None:
        """Save a snapshot as itr_N.pkl and/or params.pkl, by the snapshot mode. It loads
        with ``torch.load(weights_only=True)``.
        """
        mode = self._snapshot_mode
        if self._dir is None or mode == "none":
            return
        if mode == "all" or (mode.startswith("gap") and itr >= 0 and itr % self._snapshot_gap == 0):
            save_sealed(self._dir / f"itr_{itr}.pkl", params)
        if mode in ("last", "gap_and_last"):
            save_sealed(self._dir / "params.pkl", params)


def _size(path: Path) -> int:
    """Bytes of a file, 0 if there is none. ValueError if the name stands for anything but
    a file of this folder.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(
            f"{path} is no regular file; a run's log is in its own folder: put the file there, or start anew"
        )
    return found.st_size


def _plain(value: float | np.generic | np.ndarray | torch.Tensor) -> float:
    """A Python number of a zero-dimensional array or tensor; other values unchanged."""
    return value.item() if isinstance(value, (np.generic, np.ndarray, torch.Tensor)) else value


def exp_folder(exp_prefix: str) -> str:
    """The name of the folder that has the runs of an experiment."""
    return exp_prefix.replace("_", "-")


def create_log_dir(base: Path, exp_prefix: str, seed: int) -> Path:
    """Make a new run folder ``base/exp-prefix/exp_prefix_<time>_<number>--s-<seed>``, rlkit's layout.

    The number counts up until the folder is new, so that runs that start in the same second do not share one.
    """
    stamp = datetime.datetime.now(dateutil.tz.tzlocal()).strftime("%Y_%m_%d_%H_%M_%S")
    parent = base / exp_folder(exp_prefix)
    number = 0
    while True:
        try:
            folder = parent / f"{exp_prefix}_{stamp}_{number:04d}--s-{seed}"
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def setup_logger(
    log_dir: Path, variant: Settings, snapshot_mode: str = "last", snapshot_gap: int = 1
) -> None:
    """Point the process's logger at an existing, empty run folder and write variant.json into it."""
    text = json.dumps(variant, indent=2, sort_keys=True, allow_nan=False) + "\n"
    logger.set_snapshot_dir(log_dir, snapshot_mode, snapshot_gap)
    write_text(log_dir / VARIANT, text)  # half of one would make the run one that can neither go on nor begin


def reopen_logger(log_dir: Path, snapshot_mode: str = "last", snapshot_gap: int = 1) -> None:
    """Point the process's logger at the folder of a run that goes on; `logger.load_state_dict` says where."""
    logger.set_snapshot_dir(log_dir, snapshot_mode, snapshot_gap)


def stats_ordered_dict(name: str, values: ArrayLike) -> LogRow:
    """rlkit's four statistics of an array, by rlkit's names; NaN for an empty one."""
    array = np.asarray(values, dtype=np.float64).ravel()
    if array.size == 0:
        array = np.array([np.nan])
    figures = dict(Mean=array.mean(), Std=array.std(), Max=array.max(), Min=array.min())
    return {f"{name} {key}": float(value) for key, value in figures.items()}


logger = Logger()
