"""What a program does when it is interrupted, or when nobody reads it any more."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

INTERRUPTED = 130  # what shells call the exit of a program that SIGINT ended
PIPE_CLOSED = 141  # and of one that SIGPIPE ended


_undo: list[Callable[[], None]] = []  # what takes back what has been begun, the latest last


def _exit_now(number: int, frame: Any) -> None:
    for undo in reversed(_undo):
        with contextlib.suppress(Exception):
            undo()
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


@contextlib.contextmanager
def undone_on_interrupt(undo: Callable[[], None]) -> Iterator[None]:
    """Within the block, a Ctrl-C that ends the process at once calls `undo` first."""
    _undo.append(undo)
    try:
        yield
    finally:
        _undo.remove(undo)


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Within the block Ctrl-C waits. For what takes no time and must not be half done."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def pipe_closed() -> int:
    """Write to nowhere from now on; returns the exit code."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    return PIPE_CLOSED
