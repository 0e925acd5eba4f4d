"""The didactic example of HFR section 4: ``rlkit-hfr four-corners``."""

from __future__ import annotations

import argparse
from pathlib import Path

from rlkit_hfr.experiments.commands.outcome import announce, refuse
from rlkit_hfr.experiments.programs import Parser, command

_DESCRIPTION = """\
The didactic example of HFR section 4: which task should a trajectory over the penalty
square be used for? Trains PEARL with HFR on Four-Corners, then compares the return (HIPI)
and the utility (HFR) of one trajectory that hovers over the penalty square of the
top-right task, and draws both relabeling distributions. Random actions do not find a
corner within minutes; so the buffers begin with straight episodes in random directions,
some of which do (``--straight-paths 0`` for none).
"""


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog=command("four-corners"),
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--preset", default="quick", help="settings of the training: quick or paper (default: quick)"
    )
    p.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one setting; repeatable",
    )
    p.add_argument("--seed", type=int, default=0, help="(default: 0)")
    p.add_argument(
        "--straight-paths",
        type=int,
        default=100,
        metavar="N",
        help="straight episodes per task that the buffers begin with (default: 100)",
    )
    p.add_argument(
        "--samples",
        type=int,
        default=64,
        metavar="N",
        help="draws of z that a utility is averaged over (default: 64)",
    )
    p.add_argument(
        "--output",
        type=Path,
        default=Path("output/four-corners"),
        metavar="DIR",
        help="folder of four_corners.png and four_corners.json (default: output/four-corners)",
    )
    return p


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    announce("Loading PyTorch and the environment")
    from rlkit_hfr.experiments.pictures.hovering import show_example

    try:
        return show_example(args)
    except (ValueError, ArithmeticError, OSError) as error:  # arithmetic: a loss that is not finite
        return refuse(error, folder=args.output, advice="choose another --output")
