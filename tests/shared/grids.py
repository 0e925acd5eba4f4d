"""Small grids of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlkit_hfr.experiments.sweeps.jobs import Job, Launch, grid


def jobs_of(folder: Path, number: int = 1, **launch: Any) -> list[Job]:
    """Runs of one relabeler with seeds from 0 on."""
    return grid(
        ["point-robot"],
        ["hfr"],
        range(number),
        [],
        "quick",
        None,
        folder,
        Launch(**launch) if launch else None,
    )
