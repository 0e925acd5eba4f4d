"""progress.csv of a run: how many rows it has, and whether they are such as a run
writes.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from rlkit_hfr.files import open_plain
from rlkit_hfr.pearl.logger import PROGRESS


class Rows(NamedTuple):
    """columns: None where there is no complete header; number: of complete rows."""

    columns: list[str] | None = None
    number: int = 0


def rows_written(run: Path) -> int:
    """The complete rows of a run's progress.csv: a last one that does not end is none."""
    try:
        return max(0, (run / PROGRESS).read_bytes().count(b"\n") - 1)
    except OSError:
        return 0


def checked_rows(run: Path) -> Rows:
    """The complete rows of progress.csv. ValueError if they are not those of a run's
    iterations 0, 1, 2, ...
    """
    file = run / PROGRESS
    try:
        with open_plain(file) as opened:
            text = opened.read().decode()
        lines = list(csv.reader(text.split("\n")[:-1], strict=True))
    except FileNotFoundError:
        return Rows()
    except OSError as error:
        raise ValueError(f"can't read {file}: {error.strerror}") from None
    except (ValueError, csv.Error) as error:
        raise ValueError(_broken(file, f"it is no table ({error})")) from None
    if not lines:
        return Rows()
    columns, *rows = lines
    if len(set(columns)) < len(columns) or "Epoch" not in columns:
        raise ValueError(_broken(file, "its header repeats names or has no Epoch"))
    epoch = columns.index("Epoch")
    for i, row in enumerate(rows):
        if len(row) != len(columns):
            raise ValueError(_broken(file, f"row {i} has {len(row)} values for {len(columns)} columns"))
        if row[epoch] != str(i):
            raise ValueError(_broken(file, f"row {i} is of epoch {row[epoch][:20]!r}"))
    return Rows(columns, len(rows))


def _broken(file: Path, what: str) -> str:
    return (
        f"{file} is not as the run wrote it: {what}; put the original back, or start anew in another folder"
    )
