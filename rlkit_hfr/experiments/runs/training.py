"""Meta-train PEARL with relabeling: ``python launchers/pearl_hfr.py --env sawyer-push --preset quick``."""
from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from env_wrappers import ENVIRONMENTS
from launchers.carried import CarriedRun
from launchers.checkpoint import is_finished, load_checkpoint, read_variant
from launchers.experiment import pick_device
from launchers.foreign import CLONE, ForeignRun
from launchers.presets import PRESETS
from launchers.variant import Variant, build_variant
from rlkit_hfr import RELABELERS
from rlkit_hfr.pearl.logger import SNAPSHOT_MODES, create_log_dir
from rlkit_hfr.precision import PRECISIONS

T = TypeVar("T")


class Run(Protocol):
    """Something to train in a folder of its own."""

    device: torch.device

    def start(self, folder: Path) -> None: ...

    def train(self) -> int: ...


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--env", metavar="NAME", help=f"task family: {', '.join(ENVIRONMENTS)}")
    p.add_argument("--relabeler", metavar="NAME", help=f"one of {', '.join(RELABELERS)} (default: hfr)")
    p.add_argument("--preset", metavar="NAME", help=f"{' or '.join(PRESETS)} (default: paper, or none with --config)")
    p.add_argument("--config", type=Path, metavar="FILE", help="JSON file of settings; oyster's and HFR's configs are understood")
    p.add_argument("--set", dest="assignments", action="append", default=[], metavar="KEY=VALUE", help="override one setting; repeatable")
    p.add_argument("--seed", type=int, help="(default: 0)")
    p.add_argument("--log-dir", type=Path, default=Path("output"), help="folder in which the run's own folder is made (default: output)")
    p.add_argument("--run-dir", type=Path, metavar="DIR", help="the run's own folder, new or empty, instead of one made in --log-dir")
    p.add_argument("--resume", type=Path, metavar="DIR", help="go on with the run of this folder, whatever stopped it")
    p.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default: auto)")
    p.add_argument("--precision", choices=PRECISIONS, help="of updates' and scoring's matrix products (default: fp32 and auto)")
    p.add_argument("--host", choices=("carried", *CLONE), default="carried", help="whose PEARL to run (default: carried)")
    p.add_argument("--host-path", type=Path, metavar="DIR", help="checkout of the host (default: the rlkit that can be imported)")
    p.add_argument("--snapshot-mode", choices=SNAPSHOT_MODES, help="which iterations' networks are kept (default: last)")
    p.add_argument("--snapshot-gap", type=int, help="iterations between the snapshots of the gap modes (default: 10)")
    p.add_argument("--keep-checkpoint", action="store_true", help="keep checkpoint.pt when the run is finished")
    p.add_argument("--tensorboard", action="store_true", help="mirror progress.csv for TensorBoard")
    p.add_argument("--dry-run", action="store_true", help="print the settings and stop")
    return p


_OF_A_NEW_RUN = ("env", "relabeler", "preset", "config", "assignments", "seed", "run_dir", "snapshot_mode", "snapshot_gap", "precision")


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        return _resume(args) if args.resume is not None else _start(args)
    except (ValueError, FileNotFoundError, TypeError) as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"can't write {error.filename or args.run_dir or args.log_dir}: {error.strerror}; choose another --log-dir or --run-dir")


def _start(args: argparse.Namespace) -> int:
    variant = _variant(args)
    device = pick_device(args.device)
    run: Run = _built(lambda: (
        CarriedRun(variant, device, args.keep_checkpoint, args.tensorboard) if args.host == "carried"
        else ForeignRun(args.host, args.host_path, variant, device)
    ))  # fmt: skip
    if args.dry_run:
        print(json.dumps(variant, indent=2, sort_keys=True))
        return 0
    folder = _new_folder(args, variant)
    run.start(folder)
    return _train(run, variant, folder)


def _resume(args: argparse.Namespace) -> int:
    given = [name for name in _OF_A_NEW_RUN if getattr(args, name) not in (None, [])]
    if given or args.host != "carried":
        names = ", ".join(f"--{name.replace('_', '-').replace('assignments', 'set')}" for name in given or ["host"])
        raise ValueError(f"--resume goes on with the settings of its folder and takes no {names}")
    folder = args.resume.absolute()
    variant = read_variant(folder)
    if args.dry_run:
        print(json.dumps(variant, indent=2, sort_keys=True))
        return 0
    if is_finished(folder) and not args.keep_checkpoint:
        print(f"Finished already. Log: {folder}")
        return 0
    content, device = load_checkpoint(folder, variant), pick_device(args.device)
    run = _built(lambda: CarriedRun(variant, device, args.keep_checkpoint, args.tensorboard))
    run.resume(folder, content)
    return _train(run, variant, folder)


def _built(build: Callable[[], T]) -> T:
    try:
        return build()
    except (RuntimeError, MemoryError) as error:  # torch's word for networks that do not fit
        raise ValueError(f"can't build the networks: {str(error).splitlines()[0]}; check net_size and latent_size") from None


def _train(run: Run, variant: Variant, folder: Path) -> int:
    print(f"{variant['env_name']}, relabeler {variant['relabeler']}, seed {variant['seed']}, on {run.device}. Log: {folder}", flush=True)
    code = run.train()
    if code == 0:
        print(f"Done. Log: {folder}")
    return code


def _variant(args: argparse.Namespace) -> Variant:
    seed, gap = args.seed or 0, 10 if args.snapshot_gap is None else args.snapshot_gap
    if seed < 0:
        raise ValueError(f"--seed must be zero or more, got {seed}")
    if gap < 1:
        raise ValueError(f"--snapshot-gap must be positive, got {gap}")
    half = [] if args.precision is None else [f"{section}.precision={args.precision}" for section in ("algo_params", "relabel_params")]
    variant = build_variant(args.env, args.relabeler, args.preset, args.config, [*half, *args.assignments], seed)
    return {**variant, "snapshots": {"snapshot_mode": args.snapshot_mode or "last", "snapshot_gap": gap}}


def _new_folder(args: argparse.Namespace, variant: Variant) -> Path:
    if args.run_dir is None:
        return create_log_dir(args.log_dir.absolute(), f"{variant['env_name']}_{variant['relabeler']}", variant["seed"])
    folder: Path = args.run_dir.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "variant.json").exists() or (folder / "progress.csv").exists():
        raise ValueError(f"--run-dir {folder} holds a run already; go on with it by --resume, or give another folder")
    return folder


def _refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
