"""What a program does when it is interrupted, or when nobody reads it any more."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

INTERRUPTED = 130  # what shells call the exit of a program that SIGINT ended
PIPE_CLOSED = 141  # and of one that SIGPIPE ended


def _exit_now(number: int, frame: Any) -> None:
    os.write(2, b"Interrupted.\n")
    os._exit(INTERRUPTED)


def exit_on_interrupt() -> None:
    """From now on Ctrl-C ends the process with one line, also amid imports, some of
    which turn an exception into another. For while nothing is written yet.
    """
    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _exit_now)
    except ValueError:  # another thread than the first
        pass


def raise_on_interrupt() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt: there may be something to undo."""
    try:
        if signal.getsignal(signal.SIGINT) is _exit_now:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    except ValueError:
        pass


def pipe_closed() -> int:
    """Write to nowhere from now on; returns the exit code."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    return PIPE_CLOSED
