"""A trained agent adapts to a test task, trajectory by trajectory: ``rlkit-hfr watch
--run output/...``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rlkit_hfr.experiments.commands.outcome import announce, refuse
from rlkit_hfr.experiments.programs import Parser, command

_DESCRIPTION = """\
A trained agent adapts to a test task, trajectory by trajectory. Writes a picture of the
trajectories before and after adaptation into the run's folder, and for MuJoCo families a
GIF of the first and the last. No display is needed.
"""


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog=command("watch"), description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument(
        "--run",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of a run, with variant.json and params.pkl",
    )
    p.add_argument(
        "--out", type=Path, metavar="DIR", help="where the pictures go (default: the run's folder)"
    )
    p.add_argument("--task", type=int, help="which of the test tasks, from 0 (default: 0)")
    p.add_argument("--snapshot", default="params.pkl", help="file with the networks (default: params.pkl)")
    p.add_argument("--seed", type=int, default=0, help="(default: 0)")
    return p


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    announce("Loading PyTorch and the agent")
    from rlkit_hfr.experiments.pictures.adaptation import headline_of, load_trained, watch
    from rlkit_hfr.experiments.settings.limits import check_seed
    from rlkit_hfr.files import staged

    try:
        check_seed(args.seed, "--seed")
        algorithm = load_trained(args.run, args.snapshot)
        number = 0 if args.task is None else args.task
        if not 0 <= number < len(algorithm.eval_tasks):
            raise ValueError(f"--task must be in [0, {len(algorithm.eval_tasks)}), got {number}")
        headline = headline_of(args.run, number)
        out = args.out or args.run
        with staged(out) as folder:
            files = watch(algorithm, algorithm.eval_tasks[number], folder, args.seed, headline)
        for file in files:
            print(out / file.name)
    except (ValueError, OSError) as error:
        return refuse(error, folder=args.out or args.run, advice="choose another --out")
    return 0
