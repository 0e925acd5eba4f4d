"""What a program does when it is interrupted, or when nobody reads it any more."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

INTERRUPTED = 130  # what shells call the exit of a program that SIGINT ended
PIPE_CLOSED = 141  # and of one that SIGPIPE ended


_undo: list[Callable[[], None]] = []  # what takes back what has been begun, the latest last


def _exit_now(number: int, frame: FrameType | None) -> None:
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
    """Within the block Ctrl-C waits. For what takes no time and must not be half done.

    The handler is held back and not the signal: where other threads run, as torch's do, one
    of them would take a signal that the first has blocked.
    """
    before = signal.getsignal(signal.SIGINT)
    came: list[object] = []
    # handlers run in the first thread alone, and one that is not Python's can't be put back
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, lambda number, frame: came.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def pipe_closed() -> int:
    """Write to nowhere from now on; returns the exit code."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    return PIPE_CLOSED
