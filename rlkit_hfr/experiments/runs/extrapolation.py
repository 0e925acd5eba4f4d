"""A trained run adapts to its test tasks, beyond one adaptation: extrapolation.csv."""

from __future__ import annotations

import csv
import dataclasses
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.experiments.runs.build import attach_relabeler, build_algorithm, seed_everything
from rlkit_hfr.experiments.runs.checkpoint import NAME, read_journal, read_variant, restore_algorithm
from rlkit_hfr.experiments.settings.limits import check_adaptation, check_seed
from rlkit_hfr.experiments.settings.machine import pick_threads
from rlkit_hfr.experiments.settings.variant import parse_assignment
from rlkit_hfr.files import check_writable, open_plain, write_text
from rlkit_hfr.mier.config import ExtrapolationConfig
from rlkit_hfr.mier.extrapolation import Extrapolation, Figures
from rlkit_hfr.pearl.learner import Learner
from rlkit_hfr.pearl.meta_algorithm import DivergedError
from rlkit_hfr.signals import pipe_closed

COLUMNS = ("task", "updates", "return", "success", "model loss")


def extrapolate(run: Path, out: Path, assignments: Sequence[str], tasks: int | None, seed: int) -> int:
    """Adapt the run's agent to its test tasks, and write the figures of each into `out`;
    returns the exit code: 0, or 1 if it could not go on.

    assignments: ``key=value`` of `ExtrapolationConfig`; tasks: how many test tasks, None for
    all. ValueError for bad ones, and for a run without its checkpoint; OSError if `out`
    can't be written. No file was touched then.
    """
    config = _config(assignments)
    check_seed(seed, "--seed")
    algorithm = _trained(run)
    _check_out(out)
    number = len(algorithm.eval_tasks) if tasks is None else tasks
    if not 1 <= number <= len(algorithm.eval_tasks):
        raise ValueError(f"--tasks must be from 1 to {len(algorithm.eval_tasks)}, got {number}")
    seed_everything(seed)
    adaptation = Extrapolation(algorithm, config, seed)
    rows: list[Figures] = []
    for i, task in enumerate(algorithm.eval_tasks[:number]):
        try:
            rows += adaptation.run(task, lambda row: print(_told(row), flush=True))
            _write(out, rows)
        except BrokenPipeError:
            return pipe_closed()
        except (DivergedError, MemoryError, torch.OutOfMemoryError, OSError) as error:
            why = str(error).splitlines()[0] if str(error) else "out of memory"
            kept = f"; {out} has those" if i else ""
            print(f"Stopped after {i} of {number} tasks: {why}{kept}.", file=sys.stderr)
            return 1
    _print_means(rows, number)
    print(out)
    return 0


def _print_means(rows: Sequence[Figures], number: int) -> None:
    for updates in sorted({row.updates for row in rows}):
        mean = float(np.mean([row.ret for row in rows if row.updates == updates]))
        print(f"mean of {number} tasks after {updates:,} updates: return {mean:.2f}")


def _check_out(out: Path) -> None:
    """The file is new, or one of ours."""
    check_writable(out)
    try:
        with open_plain(out) as file:
            start = file.readline(1000)
    except FileNotFoundError:
        return
    if start.strip() != ",".join(COLUMNS).encode():
        raise ValueError(f"{out} holds something else than an extrapolation; choose another --out")


def _config(assignments: Sequence[str]) -> ExtrapolationConfig:
    known = [field.name for field in dataclasses.fields(ExtrapolationConfig)]
    settings = dict(parse_assignment(text) for text in assignments)
    for key in settings:
        if key not in known:
            raise ValueError(f"unknown setting {key!r}{did_you_mean(key, known)}; known: {', '.join(known)}")
    check_adaptation(settings)
    return ExtrapolationConfig(**settings)


def _trained(run: Path) -> Learner:
    """The algorithm of a run with its networks, buffers and generators, computed on the threads
    of the run.
    """
    variant = read_variant(run)
    content = read_journal(run, variant).content
    if content is None:
        raise ValueError(
            f"{run} has no {NAME}, whose buffers hold the experience to relabel; train with --keep-checkpoint"
        )
    torch.set_num_threads(pick_threads(None, variant))
    algorithm = build_algorithm(variant, torch.device("cpu"))
    relabeling = attach_relabeler(algorithm, variant)
    restore_algorithm(content, algorithm, relabeling)
    relabeling.detach()
    algorithm.training_mode(False)
    return algorithm


def _told(row: Figures) -> str:
    return f"task {row.task}  {row.updates:,} updates  return {row.ret:.2f}"


def _write(out: Path, rows: Sequence[Figures]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    write_text(out, text.getvalue())
