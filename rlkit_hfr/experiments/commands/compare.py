"""Compare relabelers: ``rlkit-hfr compare --env sparse-point-robot --relabelers none
random hipi hfr --seeds 5``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rlkit_hfr.experiments.commands.outcome import refuse
from rlkit_hfr.experiments.programs import command

_DESCRIPTION = """\
Compare relabelers. Every combination of environment, relabeler, seed and ``--set key=a,b``
is a run of its own. The same command again keeps the runs that are finished and goes on
with the others.
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
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
    p.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 0 to N-1 of each (default: 5)")
    p.add_argument("--preset", metavar="NAME", help="paper (the default) or quick")
    p.add_argument("--config", type=Path, metavar="FILE", help="JSON file of settings for all runs")
    p.add_argument("--set", dest="assignments", action="append", default=[], metavar="KEY=A[,B...]",
                   help="a setting, or an axis; repeatable")  # fmt: skip
    p.add_argument("--log-dir", type=Path, default=Path("output/compare"), metavar="DIR",
                   help="where the runs go (default: output/compare)")  # fmt: skip
    where = p.add_mutually_exclusive_group()
    where.add_argument(
        "--jobs", type=int, metavar="N", help="processes at once on this machine (default: one a core)"
    )
    where.add_argument("--ray", metavar="ADDRESS", help='run on Ray: "local", "auto" or HOST:PORT')
    where.add_argument("--slurm", metavar="PARTITION", help="submit to SLURM by submitit")
    p.add_argument("--hours", type=float, default=24.0, help="time limit of a SLURM job (default: 24)")
    return p


def main(argv: list[str] | None = None) -> int:
    given = sys.argv[1:] if argv is None else argv
    args = parser().parse_args(given)
    from rlkit_hfr.experiments.sweeps.comparison import compare

    try:
        return compare(args, given)
    except (ValueError, OSError) as error:
        return refuse(error, folder=args.log_dir, advice="choose another --log-dir")
