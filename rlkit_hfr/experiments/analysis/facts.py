"""What is known of each run beside its scores: when and where it ran, for how long, with
which settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime

import numpy as np

from rlkit_hfr.experiments.analysis.logs import RunLog, settings
from rlkit_hfr.experiments.analysis.notices import printable
from rlkit_hfr.experiments.analysis.study import Study

UNKNOWN = "not recorded"
LAST_WRITTEN = " (log last written)"
_STAMP = re.compile(r"(\d{4})_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d\d)")


def started(run: RunLog) -> str:
    """As the folder's name has it, which rlkit's launchers stamp; else when the log was
    last written, and that it is so.
    """
    recorded = run.variant.get("started")
    if isinstance(recorded, str) and recorded:
        return printable(recorded)
    stamp = _STAMP.search(run.folder.name)
    if stamp:
        try:
            return f"{datetime(*map(int, stamp.groups())):%Y-%m-%d %H:%M}"  # type: ignore[arg-type]
        except ValueError:
            pass
    try:
        written = datetime.fromtimestamp((run.folder / "progress.csv").stat().st_mtime)
    except (OSError, ValueError, OverflowError):
        return UNKNOWN
    return f"{written:%Y-%m-%d %H:%M}{LAST_WRITTEN}"


def commit(run: RunLog) -> str:
    """Of variant.json, or of the git_info.txt that oyster and rlkit write."""
    versions = run.variant.get("versions")
    for place in (run.variant, versions, run.variant.get("machine")):
        for key in ("commit", "git_commit", "git"):
            if isinstance(place, Mapping) and isinstance(place.get(key), str):
                return printable(place[key])
    for name in ("git_info.txt", "git_infos.txt"):
        try:
            file = run.folder / name
            found = (
                re.search(r"\b[0-9a-f]{40}\b", file.read_text(errors="replace")) if file.is_file() else None
            )
        except OSError:
            continue
        if found:
            return found.group()[:12]
    return UNKNOWN


def versions(run: RunLog) -> str:
    recorded = run.variant.get("versions")
    if not isinstance(recorded, Mapping) or not recorded:
        return UNKNOWN
    return printable(
        ", ".join(f"{name} {recorded[name]}" for name in sorted(recorded) if name != "commit"), 400
    )


def processor(run: RunLog) -> str:
    machine = run.variant.get("machine")
    if isinstance(machine, Mapping) and machine.get("processor"):
        more = [str(machine[key]) for key in ("device", "updates", "scoring") if machine.get(key)]
        return printable(", ".join([str(machine["processor"]), *dict.fromkeys(more)]), 160)
    recorded = run.variant.get("versions")
    kind = recorded.get("machine") if isinstance(recorded, Mapping) else None
    return printable(f"{kind} (model {UNKNOWN})") if isinstance(kind, str) else UNKNOWN


def wall_time(run: RunLog) -> float:
    """Seconds, summed over the iterations; NaN if not recorded."""
    seconds = run.table["iteration (s)"].dropna()
    return float(seconds.sum()) if len(seconds) else float("nan")


def spoken(seconds: float) -> str:
    if not np.isfinite(seconds):
        return UNKNOWN
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def compared_settings(study: Study) -> tuple[dict[str, dict[str, list[str]]], dict[str, str]]:
    """Settings with more than one value, by name and value the methods that have it;
    and those that all runs share.
    """
    found = [(run, settings(run)) for run in study.runs]
    names = sorted({name for _, own in found for name in own} - {"relabeler", "env_name"})
    differing: dict[str, dict[str, list[str]]] = {}
    shared: dict[str, str] = {}
    several_envs = len(study.envs) > 1
    for name in names:
        values: dict[str, list[str]] = {}
        for run, own in found:
            label = f"{run.method} on {run.env}" if several_envs else run.method
            values.setdefault(own.get(name, "not set"), []).append(label)
        if len(values) == 1:
            shared[name] = next(iter(values))
        else:
            differing[name] = {value: sorted(set(who)) for value, who in sorted(values.items())}
    return differing, shared


def plain(value: object) -> object:
    """Fit for strict JSON: NaN becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def as_json(value: object) -> str:
    return json.dumps(plain(value), indent=1, allow_nan=False) + "\n"
