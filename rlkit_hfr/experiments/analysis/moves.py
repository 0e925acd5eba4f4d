"""From which task to which relabeling moved paths: a run's ``relabeling/epoch_N.npz``."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlkit_hfr.experiments.analysis.logs import RunLog
from rlkit_hfr.experiments.analysis.notices import leave_out

_UNREADABLE = (OSError, ValueError, TypeError, KeyError, EOFError, MemoryError, RuntimeError,
               zipfile.BadZipFile, zlib.error)  # fmt: skip


def source_to_new(run: RunLog) -> np.ndarray | None:
    """How many paths of each task went to each, (K, K), summed over the run; None if
    that was not recorded.
    """
    total: np.ndarray | None = None
    for file in sorted((run.folder / "relabeling").glob("epoch_*.npz")):
        try:
            moved = _read(file)
            if total is not None and total.shape != moved.shape:
                raise ValueError(f"it has {len(moved)} tasks, the files before it {len(total)}")
            total = moved if total is None else total + moved
        except _UNREADABLE as error:
            leave_out(file, error)
    return total


def moves_of(runs: Sequence[RunLog]) -> dict[tuple[str, str], np.ndarray]:
    """The same by environment and method, summed over their runs."""
    found: dict[tuple[str, str], np.ndarray] = {}
    for run in runs:
        moved = source_to_new(run)
        if moved is None:
            continue
        key = run.env, run.method
        if key in found and found[key].shape != moved.shape:
            reason = f"it has {len(moved)} tasks, the runs before it {len(found[key])}"
            leave_out(run.folder / "relabeling", reason)
            continue
        found[key] = found[key] + moved if key in found else moved
    return found


def _read(file: Path) -> np.ndarray:
    if not file.is_file():
        raise ValueError("it is no file")
    with np.load(file) as arrays:
        if not isinstance(arrays, np.lib.npyio.NpzFile) or "source_to_new" not in arrays:
            raise ValueError("it has no array source_to_new")
        moved = arrays["source_to_new"]
    if moved.ndim != 2 or moved.shape[0] != moved.shape[1] or not moved.size or moved.dtype.kind not in "iuf":
        raise ValueError(f"source_to_new must be numbers (K, K), got {moved.dtype} {moved.shape}")
    moved = moved.astype(float)
    if not np.isfinite(moved).all() or (moved < 0).any() or (moved > 1e100).any():
        raise ValueError("source_to_new must be finite and not negative")
    return moved
