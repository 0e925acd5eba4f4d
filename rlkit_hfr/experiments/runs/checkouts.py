"""Checkouts of the public code bases, oyster and Berkeley's rlkit: found, told apart and imported.

They are not on PyPI, and import things that they do not use in this; empty placeholder
modules stand in for those that are missing.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

from rlkit_hfr.placeholders import stand_in

CLONE = {
    "oyster": "git clone https://github.com/katerakelly/oyster",
    "rlkit": "git clone https://github.com/rail-berkeley/rlkit",
}
_MARKS = {"oyster": "rlkit/torch/sac/agent.py", "rlkit": "rlkit/torch/smac/agent.py"}


def import_host(host: str, path: Path | None) -> list[str]:
    """Make `path`'s rlkit the importable one; returns the names of the placeholder
    modules that were needed.

    Raises ValueError if there is no such checkout, or if the rlkit that is found is
    another one.
    """
    path = _checkout(host, path)
    if importlib.util.find_spec("joblib") is None:
        raise ValueError(f"--host {host}: its logger needs joblib; run: pip install joblib")
    sys.path.insert(0, str(path))
    placeholders = stand_in()
    os.environ.setdefault("DEBUG", "0")  # oyster's launcher sets it, its evaluation reads it
    loaded = importlib.import_module("rlkit")
    folder = Path(next(iter(getattr(loaded, "__path__", [""])))).resolve()
    if folder != (path / "rlkit").resolve():
        raise ValueError(
            f"another rlkit is in the way: {folder}; expected {path / 'rlkit'}; "
            "uninstall it or unset PYTHONPATH"
        )
    return placeholders


def _checkout(host: str, path: Path | None) -> Path:
    if path is None:
        spec = importlib.util.find_spec("rlkit")
        found = list(spec.submodule_search_locations or []) if spec else []
        if not found:
            raise ValueError(
                f"--host {host}: no rlkit can be imported; run: {CLONE[host]}; "
                "and give its folder with --host-path"
            )
        path = Path(found[0]).parent
    path = path.resolve()
    if (path / _MARKS[host]).is_file():
        return path
    for other, mark in _MARKS.items():
        if (path / mark).is_file():
            raise ValueError(
                f"--host {host}: {path} is a checkout of {other}; use --host {other}, or run: {CLONE[host]}"
            )
    if (path / "rlkit").is_dir() and not (path / "rlkit" / "core").is_dir():
        raise ValueError(
            f"--host {host}: the rlkit in {path} is PyPI's unrelated package; uninstall it and run: "
            f"{CLONE[host]}"
        )
    raise ValueError(
        f"--host {host}: {path} is no checkout of {host} (it has no {_MARKS[host]}); run: {CLONE[host]}"
    )
