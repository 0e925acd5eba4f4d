"""``rlkit-hfr PROGRAM ...``: every program of the package under one command.

Nothing heavy is imported here, nor by a program before it knows what it is to do:
``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import platform
import sys
from collections.abc import Sequence
from importlib import import_module

from rlkit_hfr._version import __version__
from rlkit_hfr.experiments.programs import PROGRAMS, Parser, command
from rlkit_hfr.signals import INTERRUPTED, exit_on_interrupt, pipe_closed, raise_on_interrupt

NEEDS = (3, 10)  # Python, of the commands; the plugin by itself runs on 3.8
# What the extras of setup.cfg bring, by the names under which it is imported.
EXTRAS = {
    "dateutil",
    "gtimer",
    "gym",
    "gymnasium",
    "jinja2",
    "matplotlib",
    "metaworld",
    "mujoco",
    "pandas",
    "rich",
    "rliable",
    "tqdm",
}


def parser() -> argparse.ArgumentParser:
    lines = [f"  {name:<14}{program.summary}" for name, program in PROGRAMS.items()]
    p = Parser(
        prog=command(),
        description="Hindsight Foresight Relabeling for PEARL on rlkit.",
        epilog="\n".join(["programs:", *lines, "", f"{command()} PROGRAM --help describes one."]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--version", action="version", version=f"rlkit-hfr {__version__}")
    p.add_argument("program", choices=PROGRAMS, metavar="PROGRAM", help="what to run, one of those below")
    p.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="the program's own arguments")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program that the command line names; returns its exit code."""
    exit_on_interrupt()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a folder's name may be none of the terminal's letters
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            args = parser().parse_args(sys.argv[1:] if argv is None else list(argv))
            _look_into_current_folder()
            if sys.version_info < NEEDS:
                return refuse(f"got Python {platform.python_version()}, the commands need 3.10 or newer")
            try:
                program = import_module(PROGRAMS[args.program].module)
                return int(program.main(args.arguments))
            except ModuleNotFoundError as error:
                if error.name is None or error.name.partition(".")[0] not in EXTRAS:
                    raise
                return refuse(f"{error.name} is not installed; run: pip install 'rlkit-hfr[all]'")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        return pipe_closed()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    finally:
        raise_on_interrupt()


def refuse(reason: str) -> int:
    print(f"rlkit-hfr: {reason}", file=sys.stderr)
    return 2


def _look_into_current_folder() -> None:
    """Let ``module:Class`` name what lies in the current folder, however the program was
    started. The folder comes last, so that no file in it hides a package.
    """
    with contextlib.suppress(FileNotFoundError):  # of a folder that somebody has deleted
        if not {os.getcwd(), ""} & set(sys.path):
            sys.path.append(os.getcwd())
