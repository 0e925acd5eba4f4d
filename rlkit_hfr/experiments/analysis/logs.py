"""Recorded runs of any PEARL on rlkit, under one set of names: the carried one's,
oyster's, rlkit's and the HFR release's.
"""
from __future__ import annotations

import csv
import json
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# name here -> names in the logs, the first that is there counts
COLUMNS: dict[str, tuple[str, ...]] = {
    "steps": ("Number of env steps total", "Timesteps"),
    "test return": (
        "AverageReturn_all_test_tasks",
        "eval/adaptation/test_tasks/final_returns Mean",
        "Average Return",
    ),
    "test success": ("SuccessRate_all_test_tasks", "Test Final Success", "Success Rate"),
    "training return, stored context": (
        "AverageTrainReturn_all_train_tasks",
        "eval/init_from_buffer/train_tasks/all_returns Mean",
    ),
    "collection (s)": ("Sample Time (s)",),
    "updates (s)": ("Train Time (s)",),
    "evaluation (s)": ("(Previous) Eval Time (s)",),
    "relabeling (s)": ("relabel/time (s)",),
}
_NEEDED = ("steps", "test return")
_NOT_SETTINGS = {"seed", "versions", "machine", "snapshots", "preset", "host"}


@dataclass(frozen=True, eq=False)
class RunLog:
    """One run. table: a row per epoch, `COLUMNS` first, then the log's own; NaN where
    there is no value.
    """

    folder: Path
    env: str
    method: str
    seed: int
    table: pd.DataFrame
    variant: Mapping[str, Any]


def load_runs(folders: Iterable[Path]) -> list[RunLog]:
    """Every run at or below the folders.

    Methods that occur with several settings are told apart by them. Runs that can't be
    read are left out with a warning; ValueError if none is left.
    """
    files = sorted({file for folder in folders for file in Path(folder).rglob("progress.csv")})
    if not files:
        raise ValueError(
            f"no progress.csv below {', '.join(map(str, folders))}; give the folder of a run, "
            "or one above several"
        )
    runs = []
    for file in files:
        try:
            runs.append(_load(file))
        except ValueError as error:
            warnings.warn(f"left out {file.parent}: {error}", stacklevel=2)
    if not runs:
        raise ValueError("none of the runs could be read")
    return _numbered(_told_apart(runs))


def read_table(file: Path) -> pd.DataFrame:
    """The complete rows of a progress.csv, numbers or NaN.

    Headers that a resumed rlkit run repeats, and a row that is being written, are
    dropped.
    """
    with open(file, newline="", errors="replace") as opened:
        header, *rows = list(csv.reader(opened)) or [[]]
    kept = [row for row in rows if len(row) == len(header) and row != header]
    if not kept:
        raise ValueError("it has no complete row yet")
    return pd.DataFrame(kept, columns=header).apply(pd.to_numeric, errors="coerce")


def _load(file: Path) -> RunLog:
    raw = read_table(file)
    table = pd.DataFrame({name: _first(raw, names) for name, names in COLUMNS.items()})
    missing = [name for name in _NEEDED if table[name].isna().all()]
    if missing:
        raise ValueError(
            f"no column for {' and '.join(missing)}; expected one of {', '.join(COLUMNS[missing[0]])}"
        )
    variant = _variant(file.parent)
    seed = variant.get("seed")
    named = re.search(r"(?:^|[-_])s-?(\d+)$|seed_?(\d+)", file.parent.name)
    if not isinstance(seed, int):
        seed = int(next(filter(None, named.groups()))) if named else -1
    env = variant.get("env_name") or variant.get("env") or file.parent.parent.name
    return RunLog(file.parent, str(env), _method(variant), seed, pd.concat([table, raw], axis=1), variant)


def _first(raw: pd.DataFrame, names: Iterable[str]) -> pd.Series:
    return next((raw[name] for name in names if name in raw), pd.Series(np.nan, index=raw.index))


def _variant(folder: Path) -> dict[str, Any]:
    for name in ("variant.json", "params.json"):
        try:
            content = json.loads((folder / name).read_text())
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            return content
    return {}


def _method(variant: Mapping[str, Any]) -> str:
    """Our relabeler, HFR's relabel_method, or "none" for a PEARL that says nothing of
    relabeling.
    """
    if "relabeler" in variant:
        return str(variant["relabeler"])
    algo = variant.get("algo_params")
    method = algo.get("relabel_method") if isinstance(algo, Mapping) else None
    return "none" if not method else f"{method} (release)"


def _flat(variant: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in variant.items():
        if not prefix and key in _NOT_SETTINGS:
            continue
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _told_apart(runs: list[RunLog]) -> list[RunLog]:
    """Add to a method's name the settings in which its runs on one environment differ."""
    groups: dict[tuple[str, str], list[RunLog]] = defaultdict(list)
    for run in runs:
        groups[run.env, run.method].append(run)
    named = []
    for group in groups.values():
        flats = [_flat(run.variant) for run in group]
        keys = sorted(
            key
            for key in set().union(*flats)
            if len({json.dumps(flat.get(key), sort_keys=True) for flat in flats}) > 1
        )
        for run, flat in zip(group, flats, strict=True):
            own = " ".join(f"{key.rpartition('.')[2]}={flat.get(key)}" for key in keys)
            named.append(replace(run, method=f"{run.method} {own}".strip()))
    return named


def _numbered(runs: list[RunLog]) -> list[RunLog]:
    """Count through the runs of a group whose seeds are unknown."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    result = []
    for run in runs:
        if run.seed < 0:
            run = replace(run, seed=counts[run.env, run.method])
        counts[run.env, run.method] += 1
        result.append(run)
    return result


def diagnostics(run: RunLog) -> dict[str, np.ndarray] | None:
    """source_to_new (K, K) summed over the run, tasks (K,); None if the run has no
    ``relabeling`` folder.
    """
    files = sorted((run.folder / "relabeling").glob("epoch_*.npz"))
    if not files:
        return None
    arrays = [np.load(file) for file in files]
    return dict(tasks=arrays[0]["tasks"], source_to_new=np.sum([a["source_to_new"] for a in arrays], axis=0))
