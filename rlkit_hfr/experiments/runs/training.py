"""Starting and resuming a run as the command line of ``train`` asks for it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from rlkit_hfr.experiments.runs.build import pick_device
from rlkit_hfr.experiments.runs.carried import CarriedRun
from rlkit_hfr.experiments.runs.checkpoint import NAME, is_finished, read_journal, read_variant
from rlkit_hfr.experiments.runs.folders import LOCK, alone_in, begin, clear_away
from rlkit_hfr.experiments.runs.foreign import ForeignRun
from rlkit_hfr.experiments.runs.journal import write_sums
from rlkit_hfr.experiments.settings.limits import check_seed, check_settings
from rlkit_hfr.experiments.settings.machine import commit, described, now, pick_threads
from rlkit_hfr.experiments.settings.variant import Variant, build_variant, of_host
from rlkit_hfr.pearl.logger import create_log_dir, exp_folder
from rlkit_hfr.pearl.writers import CSVRows, TensorBoardScalars
from rlkit_hfr.references import file_name
from rlkit_hfr.signals import raise_on_interrupt

T = TypeVar("T")


class Run(Protocol):
    """Something to train in a folder of its own."""

    machine: dict[str, object]
    variant: Variant

    def start(self, folder: Path) -> None: ...

    def train(self) -> int: ...


_SNAPSHOTS = {"snapshot_mode": "last", "snapshot_gap": 10}
_OF_A_NEW_RUN = (
    "env",
    "relabeler",
    "algorithm",
    "preset",
    "config",
    "assignments",
    "seed",
    "run_dir",
    "snapshot_mode",
    "snapshot_gap",
    "precision",
)


def start(args: argparse.Namespace) -> int:
    variant = _variant(args)
    device, threads = pick_device(args.device), pick_threads(args.threads, variant)
    run: Run = _built(lambda: (
        CarriedRun(variant, device, threads, args.keep_checkpoint) if args.host == "carried"
        else ForeignRun(args.host, args.host_path, variant, device, threads)
    ))  # fmt: skip
    if args.dry_run:
        print(json.dumps({**variant, "machine": run.machine}, indent=2, sort_keys=True))
        return 0
    raise_on_interrupt()
    run.variant = {**run.variant, "started": now()}
    if (known := commit()) is not None:
        run.variant["versions"] = {**run.variant["versions"], "commit": known}
    with ExitStack() as lock:
        where, make = _new_folder(args, variant)
        folder = begin(where, make, run.start, lock)
        return _train(run, variant, folder, threads)


def resume(args: argparse.Namespace) -> int:
    given = [name for name in _OF_A_NEW_RUN if getattr(args, name) not in (None, [])]
    if given or args.host != "carried":
        names = ", ".join(
            f"--{name.replace('_', '-').replace('assignments', 'set')}" for name in given or ["host"]
        )
        raise ValueError(f"--resume goes on with the settings of its folder and takes no {names}")
    folder = args.resume.absolute()
    variant = read_variant(folder)
    if args.dry_run:
        print(json.dumps(variant, indent=2, sort_keys=True))
        return 0
    if is_finished(folder) and not any((folder / name).exists() for name in (NAME, LOCK)):
        return _finished_already(folder)  # nothing is to be written, so that it may be read-only
    device = pick_device(args.device)
    threads = pick_threads(args.threads, variant)
    raise_on_interrupt()
    with alone_in(folder):
        variant = read_variant(folder)
        journal = read_journal(folder, variant)
        keep = args.keep_checkpoint or journal.keep
        clear_away(folder)
        if journal.finished:
            if journal.content is not None:  # the process was killed before it had written them
                write_sums(folder)
            if not keep:
                (folder / NAME).unlink(missing_ok=True)
            return _finished_already(folder)
        run = _built(lambda: CarriedRun(variant, device, threads, keep, _writers(args)))
        run.resume(folder, journal.content)
        return _train(run, variant, folder, threads)


def _finished_already(folder: Path) -> int:
    print(f"Finished already. Log: {folder}")
    return 0


def _built(build: Callable[[], T]) -> T:
    try:
        return build()
    except (RuntimeError, MemoryError) as error:  # torch's word for networks that do not fit
        raise ValueError(
            f"can't build the networks: {str(error).splitlines()[0]}; check net_size and latent_size"
        ) from None


def _train(run: Run, variant: Variant, folder: Path, threads: int) -> int:
    who = f"{variant['algorithm']}, relabeler {variant['relabeler']}"
    what = f"{variant['env_name']}, {who}, seed {variant['seed']}"
    print(f"{what}, on {described(run.machine)}.", flush=True)
    torch.set_num_threads(threads)  # after the build: the sampler steps on as many as torch had
    code = run.train()
    if code == 0:
        print(f"Done. Log: {folder}")
    return code


def _variant(args: argparse.Namespace) -> Variant:
    if args.seed is not None and args.seed < 0:
        raise ValueError(f"--seed must be zero or more, got {args.seed}")
    if args.seed is not None:
        check_seed(args.seed, "--seed")
    half = (
        []
        if args.precision is None
        else [f"{section}.precision={args.precision}" for section in ("algo_params", "relabel_params")]
    )
    named = [] if args.algorithm is None else [f"algorithm={args.algorithm}"]
    variant = build_variant(
        args.env, args.relabeler, args.preset, args.config, [*named, *half, *args.assignments], args.seed
    )
    if args.host != "carried" and variant["algorithm"] != "pearl":
        raise ValueError(
            f"--host {args.host} runs its own PEARL, got algorithm {variant['algorithm']!r}; "
            "leave out one of the two"
        )
    variant = of_host(variant, args.host, args.config)
    given = {"snapshot_mode": args.snapshot_mode, "snapshot_gap": args.snapshot_gap}
    chosen = {key: value for key, value in given.items() if value is not None}
    variant["snapshots"] = {**_SNAPSHOTS, **variant.get("snapshots", {}), **chosen}
    variant["log"] = _writers(args) or variant.get("log", [CSVRows.name])
    check_settings(variant)
    return variant


def _writers(args: argparse.Namespace) -> list[str] | None:
    """The names of the log writers that are asked for, None if nothing is said of them."""
    names = [*(args.log or []), *([TensorBoardScalars.name] if args.tensorboard else [])]
    return list(dict.fromkeys([CSVRows.name, *names])) if names else None


def _new_folder(args: argparse.Namespace, variant: Variant) -> tuple[Path, Callable[[], Path]]:
    """The folder of a run, or the one above it, and what makes the run's."""
    if args.run_dir is None:
        base = args.log_dir.absolute()
        other = "" if variant["algorithm"] == "pearl" else f"_{variant['algorithm']}"
        name = file_name(f"{variant['env_name']}{other}_{variant['relabeler']}")
        return base / exp_folder(name), lambda: create_log_dir(base, name, variant["seed"])
    folder: Path = args.run_dir.absolute()

    def make() -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    return folder, make
