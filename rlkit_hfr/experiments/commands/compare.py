"""Compare relabelers: ``rlkit-hfr compare --env sparse-point-robot --relabelers none
random hipi hfr --seeds 5``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rlkit_hfr.experiments.commands.outcome import announce, refuse
from rlkit_hfr.experiments.programs import Parser, command

# Said here again, because its home imports torch, for which --help should not wait. A test compares them.
_LOGS = ("csv", "tensorboard", "wandb", "jsonl")
_DESCRIPTION = """\
Compare relabelers. Every combination of environment, relabeler, seed and ``--set key=a,b``
is a run of its own. The same command again keeps the runs that are finished and goes on
with the others.
"""


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog=command("compare"),
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--env", nargs="+", required=True, metavar="NAME", help="task families, by name or module:Class"
    )
    p.add_argument(
        "--relabelers",
        nargs="+",
        default=["none", "hfr"],
        metavar="NAME",
        help="methods, by name or module:Class (default: none hfr)",
    )
    seeds = p.add_mutually_exclusive_group()
    seeds.add_argument(
        "--seeds", type=int, default=5, metavar="N", help="seeds 0 to N-1 of each (default: 5)"
    )
    seeds.add_argument("--seed-list", type=int, nargs="+", metavar="SEED", help="these seeds of each")
    p.add_argument("--preset", metavar="NAME", help="paper (the default) or quick")
    p.add_argument("--config", type=Path, metavar="FILE", help="JSON file of settings for all runs")
    p.add_argument("--set", dest="assignments", action="append", default=[], metavar="KEY=A[,B...]",
                   help="a setting, or an axis; repeatable")  # fmt: skip
    p.add_argument("--log-dir", type=Path, default=Path("output/compare"), metavar="DIR",
                   help="where the runs go (default: output/compare)")  # fmt: skip
    _add_machines(p)
    p.add_argument("--host", choices=("carried", "oyster", "rlkit"), default="carried",
                   help="whose PEARL to run (default: carried)")  # fmt: skip
    p.add_argument("--host-path", type=Path, metavar="DIR", help="checkout of the host")
    p.add_argument("--log", nargs="+", choices=_LOGS, metavar="WRITER",
                   help=f"log writers of the runs: {', '.join(_LOGS)} (default: csv alone)")  # fmt: skip
    return p


def _add_machines(p: argparse.ArgumentParser) -> None:
    """Where the runs are executed, and what each asks for there."""
    where = p.add_mutually_exclusive_group()
    where.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="processes at once on this machine (default: one a core, or a GPU)",
    )
    where.add_argument("--ray", metavar="ADDRESS", help='run on Ray: "local", "auto" or HOST:PORT')
    where.add_argument("--slurm", metavar="PARTITION", help="submit to SLURM by submitit")
    p.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="of the runs (default: auto, the GPUs of this machine, or on a cluster those of --gpus)",
    )
    p.add_argument("--gpus", type=int, metavar="N", help="GPUs a run, on Ray or SLURM (default: 1 on cuda)")
    p.add_argument("--memory", type=float, metavar="GB", help="memory a run, on Ray or SLURM")
    p.add_argument("--account", metavar="NAME", help="account that SLURM charges")
    p.add_argument("--hours", type=float, default=24.0, help="time limit of a SLURM job (default: 24)")


def main(argv: list[str] | None = None) -> int:
    given = sys.argv[1:] if argv is None else argv
    args = parser().parse_args(given)
    announce("Loading PyTorch and checking the runs")
    from rlkit_hfr.experiments.sweeps.comparison import compare

    try:
        return compare(args, given)
    except (ValueError, OSError) as error:
        return refuse(error, folder=args.log_dir, advice="choose another --log-dir")
