"""Meta-train PEARL or MIER with relabeling: ``rlkit-hfr train --env sawyer-push --preset
quick``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from env_wrappers import ENVIRONMENTS
from rlkit_hfr.experiments.commands.outcome import announce, refuse
from rlkit_hfr.experiments.programs import Parser, command

# Said here again, because their homes import torch, for which --help should not wait. A test compares them.
_RELABELERS = (
    "none",
    "random",
    "hfr",
    "hfr-bellman",
    "hipi",
    "hipi-trajectory",
    "air",
    "advantage",
    "return",
    "final-state",
    "future-state",
    "htr",
    "cds",
    "hipi-sampling",
    "htr-sampling",
    "virtual",
)
_ALGORITHMS = ("pearl", "mier")
_PRECISIONS = ("fp32", "bf16", "auto")
_HOSTS = ("carried", "oyster", "rlkit")
_LOGS = ("csv", "tensorboard", "wandb", "jsonl")
_SNAPSHOT_MODES = ("all", "last", "gap", "gap_and_last", "none")


def parser() -> argparse.ArgumentParser:
    p = Parser(prog=command("train"), description="Meta-train PEARL or MIER with relabeling.")
    _add_what_runs(p.add_argument)
    _add_where_it_goes(p.add_argument)
    return p


def _add_what_runs(add: Callable[..., object]) -> None:
    add("--env", metavar="NAME", help=f"task family: {', '.join(ENVIRONMENTS)}, or module:Class of your own")
    add(
        "--relabeler",
        metavar="NAME",
        help=f"one of {', '.join(_RELABELERS)}, or module:Class of your own (default: hfr)",
    )
    add("--algorithm", choices=_ALGORITHMS, help="whose updates to train by (default: pearl)")
    add("--preset", metavar="NAME", help="paper or quick (default: paper, or none with --config)")
    add(
        "--config",
        type=Path,
        metavar="FILE",
        help="JSON file of settings; oyster's and HFR's configs are understood",
    )
    add(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one setting; repeatable",
    )
    add("--seed", type=int, help="(default: the config's, or 0)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default: auto)")
    add(
        "--threads",
        type=int,
        metavar="N",
        help="of torch on the CPU (default: OMP_NUM_THREADS, else 1 for small networks, else all cores)",
    )
    add("--precision", choices=_PRECISIONS, help="of updates' and scoring's matrix products (default: fp32)")
    add("--host", choices=_HOSTS, default="carried", help="whose PEARL to run (default: carried)")
    add(
        "--host-path",
        type=Path,
        metavar="DIR",
        help="checkout of the host (default: the rlkit that can be imported)",
    )


def _add_where_it_goes(add: Callable[..., object]) -> None:
    add(
        "--log-dir",
        type=Path,
        default=Path("output"),
        help="where the run's own folder is made (default: output)",
    )
    add(
        "--run-dir",
        type=Path,
        metavar="DIR",
        help="the run's own folder, new or empty, instead of one in --log-dir",
    )
    add("--resume", type=Path, metavar="DIR", help="go on with the run of this folder, whatever stopped it")
    add(
        "--snapshot-mode", choices=_SNAPSHOT_MODES, help="which iterations' networks are kept (default: last)"
    )
    add("--snapshot-gap", type=int, help="iterations between the snapshots of the gap modes (default: 10)")
    add("--keep-checkpoint", action="store_true", help="keep checkpoint.pt when the run is finished")
    add(
        "--log",
        nargs="+",
        choices=_LOGS,
        metavar="WRITER",
        help=f"where rows go beside progress.csv: {', '.join(_LOGS)} (default: csv alone)",
    )
    add("--tensorboard", action="store_true", help="the same as --log tensorboard")
    add("--dry-run", action="store_true", help="print the settings and stop")


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    announce("Loading PyTorch and the environment")
    from rlkit_hfr.experiments.runs import training

    try:
        return training.resume(args) if args.resume is not None else training.start(args)
    except (ValueError, TypeError, OSError) as error:
        return refuse(
            error, folder=args.run_dir or args.log_dir, advice="choose another --log-dir or --run-dir"
        )
