"""Adapt a trained MIER to test tasks beyond its training: ``rlkit-hfr extrapolate --run
output/...``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rlkit_hfr.experiments.commands.outcome import announce, refuse
from rlkit_hfr.experiments.programs import Parser, command

_DESCRIPTION = """\
Adapt a trained agent to each of its test tasks. MIER's model adapts and is trained on, and
the stored experience of the training tasks, relabeled by it, trains the policy on; a PEARL
infers z, and that is all. Writes extrapolation.csv: the return after every so many updates.
The run must have been made with --keep-checkpoint.
"""


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog=command("extrapolate"),
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--run", type=Path, required=True, metavar="DIR", help="folder of a run, with its checkpoint.pt"
    )
    p.add_argument("--tasks", type=int, metavar="N", help="the first N test tasks (default: all)")
    p.add_argument("--set", dest="assignments", action="append", default=[], metavar="KEY=VALUE",
                   help="a setting of the adaptation, see docs/mier.md; repeatable")  # fmt: skip
    p.add_argument(
        "--out", type=Path, metavar="FILE", help="(default: extrapolation.csv in the run's folder)"
    )
    p.add_argument("--seed", type=int, default=0, help="(default: 0)")
    return p


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    announce("Loading PyTorch and the agent")
    from rlkit_hfr.experiments.runs.extrapolation import extrapolate

    out = args.out or args.run / "extrapolation.csv"
    try:
        return extrapolate(args.run, out, args.assignments, args.tasks, args.seed)
    except (ValueError, OSError) as error:
        return refuse(error, folder=out.parent, advice="choose another --out")
