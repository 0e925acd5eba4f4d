"""The programs by name, and how whoever is reading started this one: hints must be
commands that work there.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

_MODULES = "rlkit_hfr.experiments.commands"


@dataclass(frozen=True)
class Program:
    """module: has a `main(argv) -> int`. launcher: its file in a clone's
    ``launchers/``.
    """

    module: str
    launcher: str
    summary: str


PROGRAMS = {
    "train": Program(
        module=f"{_MODULES}.train",
        launcher="pearl_hfr.py",
        summary="meta-train PEARL with relabeling, or resume a run",
    ),
    "compare": Program(
        module=f"{_MODULES}.compare",
        launcher="compare.py",
        summary="run a grid of relabelers, seeds and settings",
    ),
    "plot": Program(
        module=f"{_MODULES}.plot", launcher="plot.py", summary="figures and a report of recorded runs"
    ),
    "watch": Program(
        module=f"{_MODULES}.watch",
        launcher="watch.py",
        summary="see a trained agent adapt, trajectory by trajectory",
    ),
    "extrapolate": Program(
        module=f"{_MODULES}.extrapolate",
        launcher="extrapolate.py",
        summary="adapt a trained MIER to test tasks beyond its training",
    ),
    "show-env": Program(
        module=f"{_MODULES}.show_env",
        launcher="show_env.py",
        summary="pictures of a task family and its rewards",
    ),
    "four-corners": Program(
        module=f"{_MODULES}.four_corners",
        launcher="four_corners.py",
        summary="the didactic example of HFR's section 4",
    ),
    "hipi-bc": Program(
        module=f"{_MODULES}.hipi_bc",
        launcher="hipi_bc.py",
        summary="clone demonstrations that a relabeler has labelled",
    ),
}


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with a command line, whatever was typed there."""

    def error(self, message: str) -> NoReturn:
        super().error(in_one_line(message))


def in_one_line(text: str) -> str:
    """Text without anything that a terminal obeys: white space is a single space, and what
    else can't be printed is written as in Python's strings.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))


def command(program: str = "") -> str:
    """What to type to start a program, or without a name the command that has them all.

    ``python launchers/...`` where this process was started by a clone's launcher,
    ``python -m rlkit_hfr`` where it was started so, and else the installed
    ``rlkit-hfr``.
    """
    started = Path(sys.argv[0]) if sys.argv else Path()
    launchers = {known.launcher for known in PROGRAMS.values()}
    if program and started.name in launchers and started.resolve().parent.name == "launchers":
        return f"python {shlex.quote(str(started.parent / PROGRAMS[program].launcher))}"
    if started.name == "__main__.py" and started.parent.name == "rlkit_hfr":
        return f"python -m rlkit_hfr {program}".strip()
    return f"rlkit-hfr {program}".strip()
