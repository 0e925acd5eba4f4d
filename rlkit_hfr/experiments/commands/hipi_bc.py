"""HIPI-BC: ``rlkit-hfr hipi-bc --env sparse-point-robot``."""

from __future__ import annotations

import argparse
from pathlib import Path

from rlkit_hfr.experiments.commands.outcome import announce, refuse
from rlkit_hfr.experiments.programs import Parser, command

_DESCRIPTION = """\
Behaviour cloning of demonstrations whose tasks nobody knows (HIPI section 6.2): a
relabeler labels each with a training task, a policy is cloned on observation and task
vector, and is told the vectors of test tasks. Labellers are ranked by the return. The
demonstrations are those of the family's scripted expert, or with --run of a trained
agent. A study that was stopped goes on where it was, in the same --output.
"""


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog=command("hipi-bc"),
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = p.add_argument
    add("--env", metavar="NAME", help="task family; with --run, that of the run")
    add("--run", type=Path, metavar="DIR", help="folder of a run whose agent demonstrates")
    add(
        "--labellers",
        nargs="+",
        metavar="NAME",
        help="relabelers, and the references true (the demonstrated task) and agnostic (no task) "
        "(default: agnostic random return final-state hipi-trajectory true)",
    )
    add(
        "--option",
        dest="options",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the labellers that have it; repeatable",
    )
    add(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a setting of the family, such as n_train_tasks; repeatable",
    )
    add("--seeds", type=int, default=5, help="(default: 5)")
    add("--demonstrations", type=int, default=1000, metavar="N", help="(default: 1000)")
    add("--episodes", type=int, default=200, metavar="N", help="of an evaluation (default: 200)")
    add("--noise", type=float, default=0.3, help="on a scripted expert's actions (default: 0.3)")
    add(
        "--output",
        type=Path,
        default=Path("output/hipi-bc"),
        metavar="DIR",
        help="folder of table.md and of each result (default: output/hipi-bc)",
    )
    return p


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    announce("Loading PyTorch and the environment")
    from rlkit_hfr.experiments.cloning.study import LABELLERS, Study, run_study, table
    from rlkit_hfr.experiments.runs.checkpoint import read_variant
    from rlkit_hfr.experiments.settings.variant import parse_assignment

    try:
        if args.run is not None and (args.env is not None or args.assignments):
            raise ValueError("--run brings its own family and settings; leave out --env and --set")
        if args.run is None and args.env is None:
            raise ValueError("no demonstrations: give --env NAME for a scripted expert, or --run DIR")
        study = Study(
            env=args.env if args.run is None else read_variant(args.run)["env_name"],
            labellers=tuple(args.labellers or LABELLERS),
            options=dict(parse_assignment(text, "--option") for text in args.options),
            seeds=args.seeds,
            demonstrations=args.demonstrations,
            episodes=args.episodes,
            noise=args.noise,
            run=None if args.run is None else str(args.run),
            assignments=tuple(args.assignments),
        )
        print(table(run_study(study, args.output)), end="")
    except (ValueError, OSError) as error:
        return refuse(error, folder=args.output, advice="choose another --output")
    return 0
