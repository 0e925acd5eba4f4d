"""What a row of the log can't hold, beside it in the run's folder."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

FOLDER = "relabeling"


def save_diagnostics(run: Path, epoch: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Write ``relabeling/epoch_N.npz`` into a run's folder: the arrays of `RelabelStatistics.arrays`, in single precision."""
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    single = {name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in arrays.items()}
    np.savez_compressed(folder / f"epoch_{epoch}.npz", **single)  # type: ignore[arg-type]
