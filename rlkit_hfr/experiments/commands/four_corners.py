"""The didactic example of HFR section 4: ``rlkit-hfr four-corners``."""

from __future__ import annotations

import argparse
from pathlib import Path

from rlkit_hfr.experiments.commands.outcome import announce, refuse
from rlkit_hfr.experiments.programs import Parser, command

_DESCRIPTION = """\
The didactic example of HFR section 4: which task should a trajectory over the penalty
square be used for? Takes an agent that PEARL with HFR was trained to be on Four-Corners,
lets it collect, and compares the return (HIPI) and the utility (HFR) of one trajectory
that hovers over the penalty square of the top-right task; draws both relabeling
distributions, and where every method would send it.
"""
_RECORDED = Path("results/four-corners/agent")


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog=command("four-corners"),
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--run",
        type=Path,
        metavar="DIR",
        help=f"folder of the agent's run on four-corners (default: the recorded one, {_RECORDED})",
    )
    p.add_argument(
        "--train", action="store_true", help="train an agent first, into the folder agent/ of --output"
    )
    p.add_argument("--preset", help="settings of --train: quick or paper (default: quick)")
    p.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one setting of --train; repeatable",
    )
    p.add_argument("--seed", type=int, default=0, help="of --train, and of what is drawn (default: 0)")
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
    announce("Loading PyTorch and the agent")
    from rlkit_hfr.experiments.pictures.hovering import check_request, show_example

    try:
        check_request(args)
        if args.train and (code := _train(args)):
            return code
        run = args.output / "agent" if args.train else args.run or _RECORDED
        show_example(run, args.output, args.samples, args.seed)
    except (ValueError, ArithmeticError, OSError) as error:  # arithmetic: a utility that is not finite
        return refuse(error, folder=args.output, advice="choose another --output")
    return 0


def _train(args: argparse.Namespace) -> int:
    """An ordinary run of ``train``; its exit code."""
    from rlkit_hfr.experiments.commands import train

    settings = [part for assignment in args.assignments for part in ("--set", assignment)]
    what = ["--env", "four-corners", "--relabeler", "hfr", "--preset", args.preset or "quick"]
    return train.main([*what, "--seed", str(args.seed), "--run-dir", str(args.output / "agent"), *settings])
