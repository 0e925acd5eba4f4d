"""What a task family looks like: ``rlkit-hfr show-env --env sawyer-push``."""

from __future__ import annotations

import argparse
from pathlib import Path

from env_wrappers import ENVIRONMENTS
from rlkit_hfr.experiments.commands.outcome import announce, refuse
from rlkit_hfr.experiments.programs import Parser, command

_DESCRIPTION = """\
What a task family looks like. Writes a picture of its tasks with random trajectories in
task space and the rewards of one trajectory under every task, and for MuJoCo families a
rendered GIF. No display is needed.
"""

_MOST_PATHS = 1000  # a picture shows no more


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog=command("show-env"),
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--env",
        required=True,
        metavar="NAME",
        help=f"task family: {', '.join(ENVIRONMENTS)}, all of these, by all, or module:Class of your own",
    )
    p.add_argument("--out", type=Path, default=Path("output/environments"), metavar="DIR",
                   help="folder of the pictures (default: output/environments)")  # fmt: skip
    p.add_argument("--paths", type=int, default=6, help="random trajectories (default: 6)")
    p.add_argument("--seed", type=int, default=0, help="(default: 0)")
    return p


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    announce("Loading PyTorch and the environment")
    from rlkit_hfr.experiments.pictures.families import show
    from rlkit_hfr.experiments.settings.limits import check_seed
    from rlkit_hfr.files import staged

    try:
        check_seed(args.seed, "--seed")
        if not 1 <= args.paths <= _MOST_PATHS:
            raise ValueError(f"--paths must be from 1 to {_MOST_PATHS:,}, got {args.paths}")
        for name in ENVIRONMENTS if args.env == "all" else [args.env]:
            with staged(args.out) as folder:
                files = show(name, folder, args.paths, args.seed)
            for file in files:
                print(args.out / file.name)
    except (ValueError, OSError) as error:
        return refuse(error, folder=args.out, advice="choose another --out")
    return 0
