"""An optional mirror of progress.csv for TensorBoard."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any


class TensorBoardMirror:
    """Writes each row as scalars over environment steps into ``tensorboard/`` of the
    run's folder.
    """

    def __init__(self) -> None:
        """Raises ValueError where the package is missing."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ValueError(
                "--tensorboard needs the package tensorboard; run: pip install tensorboard"
            ) from None
        self._make: Any = SummaryWriter
        self._writer: Any = None

    def write(self, run: Path, row: dict[str, Any]) -> None:
        step = int(row["Number of env steps total"])
        if self._writer is None:  # of a resumed run, what was written after the checkpoint is dropped
            self._writer = self._make(str(run / "tensorboard"), purge_step=step)
        for name, value in row.items():
            if not math.isnan(value):
                self._writer.add_scalar(name.replace(" ", "_"), value, step)
        self._writer.flush()
