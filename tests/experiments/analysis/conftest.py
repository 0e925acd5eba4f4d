"""Logs to be read."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from log_files import OURS


@pytest.fixture
def write_run(tmp_path):
    """A run's folder with a log: returns 0, 1, 2, ... + offset over steps 100, 200, ..."""

    def write(name: str, columns=OURS, offset=0.0, rows=12, variant=None, extra=None, success=0.5) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        with open(folder / "progress.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*columns.values(), *(extra or {})])
            for i in range(rows):
                figures = {"steps": 100 * (i + 1), "return": i + offset, "success": success}
                writer.writerow([*(figures[key] for key in columns), *(extra or {}).values()])
        if variant is not None:
            (folder / "variant.json").write_text(json.dumps(variant))
        return folder

    return write
