"""progress.csv of a run: how many rows it has, whether they are such as a run writes, and
whether a finished run's files are still as it left them.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import NamedTuple

from rlkit_hfr.files import open_plain, write_text
from rlkit_hfr.pearl.logger import PROGRESS, VARIANT

SUMS = "finished.sha256"  # as sha256sum writes it
_SUMMED = (VARIANT, PROGRESS)


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


def write_sums(run: Path) -> None:
    """Note the checksums of a finished run's variant.json and progress.csv, for
    ``sha256sum --check`` and for `check_sums`.
    """
    write_text(run / SUMS, "".join(f"{digest_of(run / name)}  {name}\n" for name in _SUMMED))


def check_sums(run: Path) -> None:
    """ValueError if variant.json or progress.csv is not as the finished run left it.

    Runs of before these checksums have none, and nothing is checked.
    """
    file = run / SUMS
    try:
        with open_plain(file, 10_000) as opened:
            lines = opened.read().decode().splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ValueError(f"can't read {file}: {error.strerror}") from None
    except ValueError:
        lines = []
    found = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if set(found) != set(_SUMMED):
        raise ValueError(f"{file} holds no checksums of {' and '.join(_SUMMED)}; put the original back")
    for name in _SUMMED:
        if digest_of(run / name) != found[name]:
            raise ValueError(
                f"{run / name} is not as the finished run left it: its checksum in {SUMS} is another; "
                "put the original back"
            )


def digest_of(file: Path) -> str:
    """SHA-256 of a file; ValueError if it can't be read."""
    try:
        with open_plain(file) as opened:
            return hashlib.sha256(opened.read()).hexdigest()
    except OSError as error:
        raise ValueError(f"can't read {file}: {error.strerror}") from None


def _broken(file: Path, what: str) -> str:
    return (
        f"{file} is not as the run wrote it: {what}; put the original back, or start anew in another folder"
    )
