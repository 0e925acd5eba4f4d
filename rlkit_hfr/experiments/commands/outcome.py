"""How a program says that it begins, and that it can't do what it was asked."""

from __future__ import annotations

import sys
from pathlib import Path

from rlkit_hfr.experiments.programs import in_one_line
from rlkit_hfr.signals import pipe_closed


def announce(what: str) -> None:
    """Say on a terminal what is about to be done, before torch is imported, which takes
    seconds.
    """
    if sys.stderr.isatty():
        print(f"{what} ...", file=sys.stderr, flush=True)


def refuse(error: Exception, *, folder: Path, advice: str) -> int:
    """One line on stderr and exit code 2; silence if nobody reads us any more. folder,
    advice: where it was to write, and what to do if it can't.
    """
    if isinstance(error, BrokenPipeError):
        return pipe_closed()
    text = str(error)
    if isinstance(error, OSError) and error.strerror is not None:  # the system's; our own have a sentence
        text = f"can't write {error.filename or folder}: {error.strerror}; {advice}"
    print(f"error: {in_one_line(text)}", file=sys.stderr)
    return 2
