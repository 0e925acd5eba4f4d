"""What a run's numbers depend on beside its settings: versions, the processor, its threads,
and what is computed in.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from rlkit_hfr import __version__

_THREADS = range(1, 257)
_FEW_UNITS = 128  # in a hidden layer


def now() -> str:
    """The time of day, to the minute, as reports show it."""
    return f"{datetime.now():%Y-%m-%d %H:%M}"


def commit() -> str | None:
    """Of the clone that this package runs from, with a plus sign if files were changed
    since; None where it is installed, or without git.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    git = ["git", "-C", str(root)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD"], capture_output=True)
    except OSError:
        return None
    if head.returncode:
        return None
    return head.stdout.strip() + ("+" if changed.returncode else "")


def versions() -> dict[str, str]:
    """Of Python, of this package and of those that compute."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "rlkit_hfr": __version__}
    for package in ("torch", "numpy", "mujoco", "metaworld", "gymnasium", "gym"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor(device: torch.device) -> str:
    """The name of the processor that a device stands for, as its maker writes it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] else platform.processor() or platform.machine()


def pick_threads(asked: int | None, variant: Mapping[str, Any]) -> int:
    """Threads that torch computes on, on the CPU: what is asked for, else what a resumed run
    has on record, else OMP_NUM_THREADS, else one for networks of few units and torch's own
    choice for others. ValueError for fewer than one or more than 256.

    Networks of 64 units gain nothing on several threads, and beside another busy process the
    threads wait for each other: a run takes ten times as long.
    """
    if asked is not None:
        if asked not in _THREADS:
            raise ValueError(f"--threads must be from {_THREADS[0]} to {_THREADS[-1]}, got {asked}")
        return asked
    recorded = variant.get("machine")
    known = recorded.get("threads") if isinstance(recorded, Mapping) else None
    if isinstance(known, int) and known in _THREADS:
        return known
    units = max(variant["net_size"], variant["encoder_size"])
    small = units <= _FEW_UNITS and variant["pixel_encoder"] == "flat"
    return 1 if small and not os.environ.get("OMP_NUM_THREADS") else torch.get_num_threads()


def machine(device: torch.device, threads: int, *, updates: str, scoring: str) -> dict[str, object]:
    """What ``variant.json`` records under this name. updates, scoring: "fp32" or
    "bf16", as computed.
    """
    return {
        "processor": processor(device),
        "device": device.type,
        "threads": threads,
        "updates": updates,
        "scoring": scoring,
    }


def described(machine: Mapping[str, object]) -> str:
    """The same in words, for the console."""
    if machine["updates"] == machine["scoring"]:
        precision = f"updates and scoring in {machine['updates']}"
    else:
        precision = f"updates in {machine['updates']}, scoring in {machine['scoring']}"
    threads = f"{machine['threads']} thread{'' if machine['threads'] == 1 else 's'}"
    return f"{machine['device']} ({machine['processor']}), {threads}, {precision}"
