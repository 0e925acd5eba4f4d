"""Where the rows of a run's log go: `RowWriter` is the interface, `ROW_WRITERS` has those
that come with the package.

progress.csv is the source of truth. The others are copies of it, and made anew from it
where they lack rows.
"""

from __future__ import annotations

import abc
import csv
import hashlib
import io
import json
import math
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.files import write_text
from rlkit_hfr.pearl.config import Settings

PROGRESS, JSON_LINES = "progress.csv", "progress.jsonl"
STEPS = "Number of env steps total"
Row = Mapping[str, float]


class RowWriter(abc.ABC):
    """Gets each row of the log of one run, from `open` to `close`."""

    name: str

    @abc.abstractmethod
    def open(self, folder: Path, settings: Settings, earlier: Sequence[Row]) -> None:
        """Begin, or go on. settings: of the run. earlier: the rows
        that a run that goes on has; what the writer has beyond them is dropped.

        ValueError if it can't.
        """

    @abc.abstractmethod
    def write(self, row: Row) -> None:
        """A new row: numbers by column, NaN where there is none."""

    def close(self) -> None:  # noqa: B027 (not every writer holds something open)
        """No more rows come."""


def tag(column: str) -> str:
    """The name of a column below its group, as TensorBoard and Weights & Biases show it:
    "QF Loss" is "updates/QF Loss"; columns that have a group already keep it.
    """
    if "/" in column:
        return column
    if column.endswith("(s)"):
        return f"time/{column}"
    if column.startswith(("Average", "SuccessRate")):
        return f"evaluation/{column}"
    if column.startswith("Number of") or column == "Epoch":
        return f"progress/{column}"
    return f"updates/{column}"


def _step(row: Row, number: int) -> int:
    """Environment steps so far, or the number of the row where a host counts none."""
    return int(row.get(STEPS, number))


class CSVRows(RowWriter):
    """progress.csv in rlkit's format: the first row fixes the columns."""

    name = "csv"

    def __init__(self) -> None:
        self.columns: list[str] | None = None
        # of what was written
        self.size = 0
        self.digest = hashlib.sha256()
        self._file = Path()

    def open(self, folder: Path, settings: Settings, earlier: Sequence[Row]) -> None:
        self._file = folder / PROGRESS

    def write(self, row: Row) -> None:
        if self.columns is None:
            self.columns = list(row)
            self._append(dict(zip(self.columns, self.columns, strict=True)))
        if set(row) != set(self.columns):
            odd = sorted(set(row) ^ set(self.columns))
            raise ValueError(
                f"the columns of progress.csv are fixed by its first row; new or missing: {', '.join(odd)}"
            )
        self._append(row)

    def _append(self, row: Mapping[str, float | str]) -> None:
        assert self.columns is not None
        text = io.StringIO(newline="")
        csv.DictWriter(text, self.columns).writerow(row)
        line = text.getvalue().encode()
        with open(self._file, "ab") as file:
            file.write(line)
            file.flush()
            # a checkpoint that counts this row may be on the disk before it otherwise
            os.fsync(file.fileno())
        self.size += len(line)
        self.digest.update(line)


class JSONLines(RowWriter):
    """progress.jsonl: a JSON object a row, `null` for what is no finite number."""

    name = "jsonl"

    def open(self, folder: Path, settings: Settings, earlier: Sequence[Row]) -> None:
        self._file = folder / JSON_LINES
        write_text(self._file, "".join(map(self._line, earlier)))

    def write(self, row: Row) -> None:
        with open(self._file, "a") as file:
            file.write(self._line(row))

    @staticmethod
    def _line(row: Row) -> str:
        finite = {name: value if math.isfinite(value) else None for name, value in row.items()}
        return json.dumps(finite) + "\n"


class TensorBoardScalars(RowWriter):
    """Scalars over environment steps, in ``tensorboard/`` of the run's folder."""

    name = "tensorboard"

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise _missing("tensorboard", "tensorboard") from None
        self._make = SummaryWriter

    def open(self, folder: Path, settings: Settings, earlier: Sequence[Row]) -> None:
        known = (folder / "tensorboard").is_dir()
        self._number = len(earlier)
        purge = _step(earlier[-1], self._number) + 1 if earlier else 0
        self._writer = self._make(str(folder / "tensorboard"), purge_step=purge)
        for number, row in enumerate([] if known else earlier):
            self._add(row, number)

    def write(self, row: Row) -> None:
        self._add(row, self._number)
        self._number += 1
        self._writer.flush()

    def _add(self, row: Row, number: int) -> None:
        for column, value in row.items():
            if not math.isnan(value):
                self._writer.add_scalar(tag(column).replace(" ", "_"), value, _step(row, number))

    def close(self) -> None:
        self._writer.close()


class WandbHistory(RowWriter):
    """A run of Weights & Biases, in ``wandb/`` of the run's folder. Its project is
    "rlkit-hfr" unless WANDB_PROJECT names another; WANDB_MODE=offline needs no account.
    A run that goes on is the same run there.
    """

    name = "wandb"

    def __init__(self) -> None:
        try:
            import wandb
        except ImportError:
            raise _missing("wandb", "wandb") from None
        self._wandb: ModuleType = wandb

    def open(self, folder: Path, settings: Settings, earlier: Sequence[Row]) -> None:
        known = folder / "wandb" / "id"
        before = known.read_text().strip() if known.exists() else None
        try:
            self._run = self._wandb.init(
                project=os.environ.get("WANDB_PROJECT", "rlkit-hfr"),
                id=before or uuid.uuid4().hex[:8],
                resume="allow" if os.environ.get("WANDB_MODE") != "offline" else None,
                name=_name(folder, settings),
                config=dict(settings),
                dir=str(folder),
                settings=self._wandb.Settings(silent=True, console="off"),
            )
        except Exception as error:  # no account, no connection: each by an exception of its own
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(
                f"--log wandb: {reason[:200]}; run `wandb login`, or set WANDB_MODE=offline"
            ) from None
        known.parent.mkdir(exist_ok=True)
        write_text(known, self._run.id)
        self._run.define_metric("*", step_metric=tag(STEPS))
        self._number = len(earlier)
        for number, row in enumerate([] if before else earlier):
            self._add(row, number)

    def write(self, row: Row) -> None:
        self._add(row, self._number)
        self._number += 1

    def _add(self, row: Row, number: int) -> None:
        self._run.log({tag(name): value for name, value in row.items() if not math.isnan(value)}, step=number)

    def close(self) -> None:
        self._run.finish()


def _name(folder: Path, settings: Settings) -> str:
    """What a run is called in a list of runs."""
    known = [str(settings[key]) for key in ("env_name", "relabeler") if key in settings]
    return " ".join([*known, f"seed {settings['seed']}"]) if known and "seed" in settings else folder.name


def _missing(name: str, package: str) -> ValueError:
    return ValueError(f"--log {name} needs the package {package}; run: pip install {package}")


ROW_WRITERS: dict[str, type[RowWriter]] = {
    cls.name: cls for cls in (CSVRows, TensorBoardScalars, WandbHistory, JSONLines)
}


def make_row_writers(names: Iterable[str]) -> list[RowWriter]:
    """Those beside progress.csv, which every run has. ValueError for an unknown name, or
    for a package that is missing.
    """
    chosen = list(dict.fromkeys(names))
    for name in chosen:
        if name not in ROW_WRITERS:
            near = did_you_mean(name, ROW_WRITERS)
            raise ValueError(f"unknown log writer {name!r}{near}; known: {', '.join(ROW_WRITERS)}")
    return [ROW_WRITERS[name]() for name in chosen if name != CSVRows.name]


def read_rows(file: Path) -> list[dict[str, float]]:
    """The rows of a progress.csv as numbers."""
    if not file.exists():
        return []
    with open(file, newline="") as opened:
        return [{name: as_number(value) for name, value in row.items()} for row in csv.DictReader(opened)]


def as_number(text: str) -> int | float:
    """What a cell of a table stands for; NaN for what is no number."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return math.nan
