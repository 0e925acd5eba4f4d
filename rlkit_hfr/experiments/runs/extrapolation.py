"""A trained run adapts to its test tasks, beyond one adaptation: extrapolation.csv."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.experiments.runs.build import attach_relabeler, build_algorithm, seed_everything
from rlkit_hfr.experiments.runs.checkpoint import NAME, read_journal, read_variant
from rlkit_hfr.experiments.settings.limits import check_seed
from rlkit_hfr.experiments.settings.variant import parse_assignment
from rlkit_hfr.files import write_text
from rlkit_hfr.mier.config import ExtrapolationConfig
from rlkit_hfr.mier.extrapolation import Extrapolation, Figures
from rlkit_hfr.pearl.learner import Learner

COLUMNS = ("task", "updates", "return", "success", "model loss")


def extrapolate(run: Path, out: Path, assignments: Sequence[str], tasks: int | None, seed: int) -> None:
    """Adapt the run's agent to its test tasks, and write the figures of each into `out`.

    assignments: ``key=value`` of `ExtrapolationConfig`; tasks: how many test tasks, None for
    all. ValueError for bad ones, and for a run without its checkpoint.
    """
    config = _config(assignments)
    check_seed(seed, "--seed")
    algorithm = _trained(run)
    number = len(algorithm.eval_tasks) if tasks is None else tasks
    if not 1 <= number <= len(algorithm.eval_tasks):
        raise ValueError(f"--tasks must be from 1 to {len(algorithm.eval_tasks)}, got {number}")
    seed_everything(seed)
    adaptation = Extrapolation(algorithm, config, seed)
    rows: list[Figures] = []
    for task in algorithm.eval_tasks[:number]:
        rows += adaptation.run(task, lambda row: print(_told(row), flush=True))
        _write(out, rows)
    for updates in sorted({row.updates for row in rows}):
        mean = float(np.mean([row.ret for row in rows if row.updates == updates]))
        print(f"mean of {number} tasks after {updates:,} updates: return {mean:.2f}")
    print(out)


def _config(assignments: Sequence[str]) -> ExtrapolationConfig:
    known = [field.name for field in dataclasses.fields(ExtrapolationConfig)]
    settings = dict(parse_assignment(text) for text in assignments)
    for key in settings:
        if key not in known:
            raise ValueError(f"unknown setting {key!r}{did_you_mean(key, known)}; known: {', '.join(known)}")
    return ExtrapolationConfig(**settings)


def _trained(run: Path) -> Learner:
    """The algorithm of a run with its networks, buffers and generators."""
    variant = read_variant(run)
    content = read_journal(run, variant).content
    if content is None:
        raise ValueError(
            f"{run} has no {NAME}, whose buffers hold the experience to relabel; train with --keep-checkpoint"
        )
    algorithm = build_algorithm(variant, torch.device("cpu"))
    relabeling = attach_relabeler(algorithm, variant)
    try:
        algorithm.load_state_dict(content["algorithm"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{run / NAME} does not fit the run ({str(error).splitlines()[0]:.200})") from None
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
