"""Meta-train PEARL with relabeling: ``python launchers/pearl_hfr.py --env sawyer-push --preset quick``."""
from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from env_wrappers import ENVIRONMENTS
from launchers.console import Console
from launchers.experiment import attach_relabeler, build_algorithm, pick_device
from launchers.foreign import CLONE, build_foreign, import_host, setup_foreign_logger
from launchers.presets import PRESETS
from launchers.variant import Variant, build_variant
from rlkit_hfr import RELABELERS
from rlkit_hfr.pearl.logger import SNAPSHOT_MODES, create_log_dir, setup_logger


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--env", metavar="NAME", help=f"task family: {', '.join(ENVIRONMENTS)}")
    p.add_argument("--relabeler", metavar="NAME", help=f"one of {', '.join(RELABELERS)} (default: hfr)")
    p.add_argument("--preset", metavar="NAME", help=f"{' or '.join(PRESETS)} (default: paper, or none with --config)")
    p.add_argument("--config", type=Path, metavar="FILE", help="JSON file of settings; oyster's and HFR's configs are understood")
    p.add_argument("--set", dest="assignments", action="append", default=[], metavar="KEY=VALUE", help="override one setting; repeatable")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--log-dir", type=Path, default=Path("output"), help="folder in which the run's own folder is made")
    p.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    p.add_argument("--host", choices=("carried", *CLONE), default="carried", help="whose PEARL to run")
    p.add_argument("--host-path", type=Path, metavar="DIR", help="checkout of the host (default: the rlkit that can be imported)")
    p.add_argument("--snapshot-mode", choices=SNAPSHOT_MODES, default="last", help="which iterations' networks are kept")
    p.add_argument("--snapshot-gap", type=int, default=10, help="iterations between the snapshots of the gap modes")
    p.add_argument("--dry-run", action="store_true", help="print the settings and stop")
    return p


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        if args.seed < 0:
            raise ValueError(f"--seed must be zero or more, got {args.seed}")
        if args.snapshot_gap < 1:
            raise ValueError(f"--snapshot-gap must be positive, got {args.snapshot_gap}")
        variant = build_variant(args.env, args.relabeler, args.preset, args.config, args.assignments, args.seed)
        run = _foreign_run(args, variant) if args.host != "carried" else _carried_run(args, variant)
        if args.dry_run:
            print(json.dumps(variant, indent=2, sort_keys=True))
            return 0
        log_dir = create_log_dir(args.log_dir.absolute(), f"{variant['env_name']}_{variant['relabeler']}", args.seed)
    except (ValueError, FileNotFoundError, TypeError) as error:
        return _refuse(str(error))
    except (RuntimeError, MemoryError) as error:  # torch's word for networks that do not fit
        return _refuse(f"can't build the networks: {str(error).splitlines()[0]}; check net_size and latent_size")
    except OSError as error:
        return _refuse(f"can't make a run folder in {args.log_dir}: {error.strerror}; choose another with --log-dir")
    run.setup_logger(log_dir)
    print(f"{variant['env_name']}, relabeler {variant['relabeler']}, seed {args.seed}, on {run.device}. Log: {log_dir}", flush=True)
    try:
        run.algorithm.train()
    except KeyboardInterrupt:
        print(f"\nInterrupted{run.progress()}. Log: {log_dir}", file=sys.stderr)
        return 130
    print(f"Done. Log: {log_dir}")
    return 0


@dataclass(frozen=True)
class _Run:
    """An algorithm with its relabeler attached, ready to train."""

    algorithm: Any
    device: torch.device
    setup_logger: Callable[[Path], Any]
    progress: Callable[[], str]


def _carried_run(args: argparse.Namespace, variant: Variant) -> _Run:
    device, console = pick_device(args.device), Console(variant["algo_params"]["num_iterations"])
    algorithm = build_algorithm(variant, device, progress=console.progress, on_epoch_end=console.iteration_done)
    attach_relabeler(algorithm, variant)
    return _Run(
        algorithm, device, lambda log_dir: setup_logger(log_dir, variant, args.snapshot_mode, args.snapshot_gap),
        lambda: f" after {console.finished} of {console.num_iterations} iterations",
    )  # fmt: skip


def _foreign_run(args: argparse.Namespace, variant: Variant) -> _Run:
    device = pick_device(args.device)
    placeholders = import_host(args.host, args.host_path)
    algorithm = build_foreign(args.host, variant, device)
    attach_relabeler(algorithm, variant)

    def setup(log_dir: Path) -> None:
        host_logger = setup_foreign_logger(log_dir, {**variant, "host": args.host}, args.snapshot_mode, args.snapshot_gap)
        if placeholders:
            host_logger.log(f"empty placeholder modules stand in for {', '.join(placeholders)}, which {args.host} imports and this run does not use")

    return _Run(algorithm, device, setup, lambda: "")


def _refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
