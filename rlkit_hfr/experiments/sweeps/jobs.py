"""The runs of a comparison: the grid of environments, relabelers, settings and seeds,
and how far each has come.
"""

from __future__ import annotations

import csv
import itertools
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from rlkit_hfr import RELABELERS
from rlkit_hfr.experiments.runs.build import attach_relabeler, build_algorithm
from rlkit_hfr.experiments.runs.checkpoint import (
    NAME,
    generators,
    is_finished,
    read_variant,
    set_generators,
)
from rlkit_hfr.experiments.runs.folders import CONSOLE, is_locked
from rlkit_hfr.experiments.runs.journal import check_sums, checked_rows
from rlkit_hfr.experiments.settings.json_files import read_object
from rlkit_hfr.experiments.settings.limits import check_name
from rlkit_hfr.experiments.settings.variant import Variant, build_variant, of_host, parse_assignment
from rlkit_hfr.references import file_name
from rlkit_hfr.relabelers import find_relabeler, relabeler_options

_MOST_LETTERS = 200  # of a folder's name
ATTEMPT = "$ "  # the beginning of the line above the output of each attempt
_OF_THE_MACHINE = ("versions", "snapshots", "log", "started", "machine")


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How each run is started, which is no setting of it. host, host_path: as `train`
    takes them. log: names of log writers.
    """

    device: str = "auto"
    host: str = "carried"
    host_path: Path | None = None
    log: tuple[str, ...] = ()

    def options(self) -> list[str]:
        """Of a new run."""
        host = ["--host", self.host] if self.host != "carried" else []
        host += ["--host-path", str(self.host_path)] if self.host_path else []
        return [*host, *(["--log", *self.log] if self.log else []), "--device", self.device]


@dataclass(frozen=True)
class Job:
    """One run. settings: the assignments ``key=value`` of all runs and of its own cell
    of the grid.
    """

    env: str
    relabeler: str
    seed: int
    label: str
    settings: tuple[str, ...]
    preset: str | None
    config: Path | None
    folder: Path
    launch: Launch = field(default_factory=Launch)

    def variant(self) -> Variant:
        """The settings that it is to have. ValueError for bad ones."""
        variant = build_variant(
            self.env, self.relabeler, self.preset, self.config, list(self.settings), self.seed
        )
        return of_host(variant, self.launch.host, self.config)

    def command(self) -> list[str]:
        """Begin it, or go on with it."""
        launcher = [sys.executable, "-m", "rlkit_hfr", "train"]
        if (self.folder / "variant.json").exists():
            return [*launcher, "--resume", str(self.folder), "--device", self.launch.device]
        options = [part for item in self.settings for part in ("--set", item)]
        options += ["--preset", self.preset] if self.preset else []
        options += ["--config", str(self.config)] if self.config else []
        names = ["--env", self.env, "--relabeler", self.relabeler, "--seed", str(self.seed)]
        return [*launcher, *names, *options, *self.launch.options(), "--run-dir", str(self.folder)]

    def recorded(self) -> Variant:
        """The settings of the run that the folder holds.

        ValueError if it is another host's, or one of a host that was stopped.
        """
        if self.launch.host == "carried":
            return read_variant(self.folder)
        found = read_object(self.folder / "variant.json")
        host = found.pop("host", "carried")
        if host != self.launch.host:
            raise ValueError(f"{self.folder} holds a run of --host {host}; give another --log-dir")
        if not finished(self) and not is_locked(self.folder):
            raise ValueError(
                f"{self.folder} holds a run of {host} that was stopped, which can't go on; "
                "remove that folder, or give another --log-dir"
            )
        return found

    def check(self) -> None:
        """ValueError if its settings are wrong, or if its folder holds a run with
        others.
        """
        wanted = json.loads(json.dumps(self.variant()))
        if (self.folder / "variant.json").exists():
            found = self.recorded()
            checked_rows(self.folder)
            check_sums(self.folder)
            odd = sorted(
                key for key in {*wanted, *found} - {*_OF_THE_MACHINE} if wanted.get(key) != found.get(key)
            )
            if odd:
                raise ValueError(
                    f"{self.folder} holds a run with another {', '.join(odd)}; give the same command, "
                    "or another --log-dir"
                )


@dataclass(frozen=True)
class Progress:
    """How far a run's progress.csv has come; what it has no figure for is NaN."""

    rows: int = 0
    test_return: float = float("nan")
    success: float = float("nan")


def grid(
    envs: Sequence[str],
    relabelers: Sequence[str],
    seeds: Iterable[int],
    assignments: Sequence[str],
    preset: str | None,
    config: Path | None,
    log_dir: Path,
    launch: Launch | None = None,
) -> list[Job]:
    """Every combination; an assignment ``key=a,b`` spans an axis of its own, and names
    it in the folders. An option that a relabeler does not take is none of its axes.
    Seeds vary slowest, so that a comparison that is stopped early has all methods.
    """
    jobs = []
    for key, names in (("--env", envs), ("--relabelers", relabelers)):
        for name in names:
            check_name(key, name)
    for seed, env, relabeler in itertools.product(seeds, envs, relabelers):
        axes = [_values(item) for item in assignments if _concerns(item, relabeler, relabelers)]
        for cell in itertools.product(*axes):
            own = [item for item, axis in zip(cell, axes, strict=True) if len(axis) > 1]
            label = " ".join([relabeler, *own])
            if len(label) > _MOST_LETTERS:
                raise ValueError(f"the settings of an axis are too long for a folder's name: {label[:60]}...")
            jobs.append(
                Job(
                    env,
                    relabeler,
                    seed,
                    label,
                    cell,
                    preset,
                    config,
                    log_dir / file_name(env) / file_name(label.replace(" ", ",")) / f"s-{seed}",
                    launch or Launch(),
                )
            )
    return jobs


def _concerns(assignment: str, relabeler: str, others: Sequence[str]) -> bool:
    """Whether a setting is one of all runs, or an option of this relabeler. others: those
    of the comparison.
    """
    key = parse_assignment(assignment)[0].rpartition(".")[2]
    classes = [*RELABELERS.values(), *(find_relabeler(name) for name in others)]
    takers = [cls for cls in classes if key in relabeler_options(cls)]
    return not takers or find_relabeler(relabeler) in takers


def _values(assignment: str) -> list[str]:
    key, _ = parse_assignment(assignment)
    values = _split(assignment.partition("=")[2])
    if len(set(values)) < len(values) or "" in values:
        raise ValueError(f"--set {assignment}: values must be distinct and not empty")
    for value in values if len(values) > 1 else []:
        if "/" in value or "\\" in value or not value.isprintable() or len(value) > _MOST_LETTERS:
            raise ValueError(
                f"--set {key}: the values of an axis name folders, which {value[:60]!r} can't; "
                "values have no slashes"
            )
    return [f"{key}={value}" for value in values]


def _split(text: str) -> list[str]:
    """At commas, but for those of a JSON list or object."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def progress_of(job: Job) -> Progress:
    """Read what a run has written so far."""
    file = job.folder / "progress.csv"
    if not file.exists():
        return Progress()
    with open(file, newline="") as opened:
        rows = [
            row for row in csv.DictReader(opened) if None not in row.values()
        ]  # but for one that is being written
    if not rows:
        return Progress()
    figures = [
        float(rows[-1].get(f"{name}_all_test_tasks") or "nan") for name in ("AverageReturn", "SuccessRate")
    ]
    return Progress(len(rows), *figures)


def check_builds(jobs: Sequence[Job]) -> None:
    """Build what each kind of run builds before it trains: ValueError for what its
    environment, `attach` or the relabeler refuse.
    """
    state = generators()
    try:
        for job in jobs:
            if job.seed == jobs[0].seed and job.launch.host != "carried":
                _check_host(job)
            elif job.seed == jobs[0].seed:
                variant = job.variant()
                attach_relabeler(build_algorithm(variant, torch.device("cpu")), variant)
    finally:
        set_generators(state)


def _check_host(job: Job) -> None:
    """The same of another host's PEARL, in a process of its own: two hosts can't share
    one.
    """
    if (job.folder / "variant.json").exists():
        return
    done = subprocess.run([*job.command(), "--dry-run"], capture_output=True, text=True)
    if done.returncode:
        error = (done.stderr.strip().splitlines() or ["it left no message"])[-1]
        raise ValueError(error.removeprefix("error: "))


def finished(job: Job) -> bool:
    """With all its iterations, and nothing to clear away."""
    if job.launch.host != "carried":
        try:
            return checked_rows(job.folder).number == job.variant()["algo_params"]["num_iterations"]
        except ValueError:
            return False
    return is_finished(job.folder) and not (job.folder / NAME).exists()


def last_words(job: Job) -> str:
    """Why the last attempt at a run ended: its error, or else the last line that it
    printed.
    """
    file = job.folder / CONSOLE
    lines = file.read_text(errors="replace").strip().splitlines() if file.exists() else []
    lines = lines[max((i for i, line in enumerate(lines) if line.startswith(ATTEMPT)), default=-1) + 1 :]
    errors = [line for line in lines if line.startswith(("error:", "Stopped"))]
    return (errors or lines or ["it left no message"])[-1]
