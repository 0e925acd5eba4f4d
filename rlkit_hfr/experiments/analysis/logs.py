"""Recorded runs under one set of names: of the built-in PEARL, oyster, rlkit, the HFR
release, and whatever else viskit reads.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from rlkit_hfr.experiments.analysis.notices import LONGEST_NAME, leave_out, printable
from rlkit_hfr.experiments.settings.draft import Variant
from rlkit_hfr.pearl.config import PEARLConfig

# name here -> names in the logs, the first that has a value counts
COLUMNS: dict[str, tuple[str, ...]] = {
    "steps": (
        "Number of env steps total",
        "Timesteps",
        "exploration/num steps total",
        "expl/num steps total",
        "TotalEnvSteps",
        "TotalNSamples",
    ),
    "test return": (
        "AverageReturn_all_test_tasks",
        "eval/adaptation/test_tasks/final_returns Mean",
        "Average Return",
        "evaluation/Average Returns",
        "eval/Average Returns",
        "MetaTest/Average/AverageReturn",
        "Evaluation/AverageReturn",
        "AverageReturn",
    ),
    "test success": (
        "SuccessRate_all_test_tasks",
        "Test Final Success",
        "Success Rate",
        "MetaTest/Average/SuccessRate",
    ),
    "training return, stored context": (
        "AverageTrainReturn_all_train_tasks",
        "eval/init_from_buffer/train_tasks/all_returns Mean",
    ),
    "collection (s)": ("Sample Time (s)", "time/exploration sampling (s)"),
    "updates (s)": ("Train Time (s)", "time/training (s)"),
    "evaluation (s)": ("(Previous) Eval Time (s)", "time/evaluation sampling (s)"),
    "relabeling (s)": ("relabel/time (s)",),
    "iteration (s)": ("Epoch Time (s)", "time/epoch (s)"),
}
_NEEDED = ("steps", "test return")
_NOT_SETTINGS = {
    *("seed", "versions", "machine", "snapshots", "log", "started", "preset", "host"),
    # what rlkit's, oyster's and viskit's launchers write beside the settings
    *("exp_id", "exp_name", "exp_prefix", "exp_uuid", "unique_id", "run_id", "trial_name", "trial_num"),
    *("log_dir", "base_log_dir", "util_params", "script_name", "git_infos", "instance_type", "gpu_id"),
}
_BEYOND = 1e100  # a number beyond it is taken as missing: its square would overflow


@dataclass(frozen=True, eq=False)
class RunLog:
    """One run. table: a row per epoch, `COLUMNS` first, then the log's own; finite, or
    NaN where there is no value.
    """

    folder: Path
    env: str
    method: str
    seed: int
    table: pd.DataFrame
    variant: Variant


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
        except (OSError, ValueError, csv.Error, MemoryError) as error:
            leave_out(file, error)
    if not runs:
        raise ValueError("none of the runs could be read")
    return _numbered(_told_apart(runs))


def read_table(file: Path) -> pd.DataFrame:
    """The complete rows of a progress.csv, finite numbers or NaN.

    Headers that a resumed rlkit run repeats, and a row that is being written, are
    dropped. A log.txt beside an empty progress.csv is read in its place, with tabs, as
    viskit does.
    """
    delimiter = ","
    if not file.is_file():
        raise ValueError("it is no file")
    if file.stat().st_size == 0 and file.with_name("log.txt").is_file():
        file, delimiter = file.with_name("log.txt"), "\t"
    with open(file, newline="", errors="replace") as opened:
        header, *rows = list(csv.reader(opened, delimiter=delimiter)) or [[]]
    kept = [row for row in rows if len(row) == len(header) and row != header]
    if not kept:
        raise ValueError("it has no complete row yet")
    table = pd.DataFrame(kept, columns=[name.removeprefix("\ufeff") for name in header])
    table = table.loc[:, ~table.columns.duplicated()].apply(pd.to_numeric, errors="coerce").astype(float)
    return table.where(table.abs() <= _BEYOND)


def _load(file: Path) -> RunLog:
    raw = read_table(file)
    table = pd.DataFrame({name: _first(raw, names) for name, names in COLUMNS.items()})
    missing = [name for name in _NEEDED if table[name].isna().all()]
    if missing:
        raise ValueError(
            f"no finite value of {' and '.join(missing)}; expected a column "
            f"{' or '.join(COLUMNS[missing[0]])}"
        )
    table = pd.concat([table, raw.drop(columns=list(COLUMNS), errors="ignore")], axis=1)
    table = table[table["steps"].notna()].sort_values("steps", kind="stable", ignore_index=True)
    if table["test return"].isna().all():
        raise ValueError("no row has both steps and a return")
    variant = _variant(file.parent)
    return RunLog(
        folder=file.parent,
        env=_env(variant, file.parent),
        method=_method(variant),
        seed=_seed(variant, file.parent),
        table=table,
        variant=variant,
    )


def _seed(variant: Variant, folder: Path) -> int:
    """As recorded, or as the folder's name ends; -1 if unknown."""
    for recorded in (variant.get("seed"), variant.get("seedid")):
        if isinstance(recorded, int) and not isinstance(recorded, bool) and 0 <= recorded < 2**63:
            return recorded
    named = re.search(r"(?:^|[-_])s-?(\d{1,18})$|seed[_-]?(\d{1,18})$", folder.name)
    return int(next(filter(None, named.groups()))) if named else -1


def _env(variant: Variant, folder: Path) -> str:
    """As recorded by our, oyster's or rlkit's launchers, else the folder above, which
    they call after the environment.
    """
    for key in ("env_name", "env_id", "env", "env_class"):
        value = variant.get(key)
        if isinstance(value, Mapping):  # rlkit writes a class as {"$class": "module.Name"}
            value = value.get("$class") or value.get("name")
            value = value.rpartition(".")[2] if isinstance(value, str) else None
        if isinstance(value, str) and printable(value):
            return printable(value)
    return printable(folder.resolve().parent.name) or "environment"


def _first(raw: pd.DataFrame, names: Iterable[str]) -> pd.Series:
    found = [raw[name] for name in names if name in raw]
    return next((column for column in found if column.notna().any()), pd.Series(np.nan, index=raw.index))


def _variant(folder: Path) -> Variant:
    """The settings of a run: variant.json, or viskit's params.json; empty if none can
    be read.
    """
    for name in ("variant.json", "params.json"):
        file = folder / name
        if not file.exists():
            continue
        try:
            return _completed(read_object(file))
        except (OSError, ValueError) as error:
            leave_out(file, error)
    return {}


def _completed(variant: Variant) -> Variant:
    """A run of the built-in PEARL with the settings that are younger than it: at their
    defaults these change nothing, so that it is not told apart from a later run by them.
    """
    algo = variant.get("algo_params")
    if (
        "preset" not in variant
        or not isinstance(algo, Mapping)
        or variant.get("algorithm", "pearl") != "pearl"
    ):
        return variant
    defaults = {field.name: field.default for field in dataclasses.fields(PEARLConfig)}
    return {**variant, "algorithm": "pearl", "algo_params": {**defaults, **algo}}


def read_object(file: Path) -> Variant:
    """A JSON object; ValueError or OSError if the file holds none."""
    if not file.is_file():
        raise ValueError("it is no file")
    try:
        content = json.loads(file.read_text())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object, got {type(content).__name__}")
    return content


def _method(variant: Variant) -> str:
    """Our relabeler, HFR's relabel_method, or "none" for a PEARL that says nothing of
    relabeling.
    """
    if variant.get("relabeler") is not None:
        return printable(str(variant["relabeler"])) or "none"
    algo = variant.get("algo_params")
    method = algo.get("relabel_method") if isinstance(algo, Mapping) else None
    return "none" if not method else printable(f"{method} (release)")


def settings(run: RunLog) -> dict[str, str]:
    """The settings of a run by dotted name, as JSON; without its seed and what says
    where and when it ran.
    """
    return {printable(key): _short(_said(value)) for key, value in _flat(run.variant).items()}


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _flat(variant: Variant, prefix: str = "", depth: int = 0) -> Variant:
    flat: Variant = {}
    for key, value in variant.items():
        if key in _NOT_SETTINGS and not prefix:
            continue
        if isinstance(value, dict) and depth < 8:
            flat |= _flat(value, f"{prefix}{key}.", depth + 1)
        else:
            flat[f"{prefix}{key}"] = value
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
            named.append(replace(run, method=_short(f"{run.method} {own}")))
    return named


def _short(text: str) -> str:
    """The text, cut if it is long; a mark in the place of the rest tells it from others that begin alike."""
    whole = printable(text, None)
    if len(whole) <= LONGEST_NAME:
        return whole
    mark = hashlib.blake2b(whole.encode(), digest_size=3).hexdigest()
    return f"{whole[: LONGEST_NAME - len(mark) - 2]}… {mark}"


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
