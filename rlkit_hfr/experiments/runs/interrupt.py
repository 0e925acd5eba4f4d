"""Ctrl-C and SIGTERM: the first lets the iteration end, the second stops at once."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# SIGTERM is what a cluster sends before it takes a machine away, SIGHUP what remains of
# a terminal that is closed.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def graceful_stop(request_stop: Callable[[], None], announcement: str) -> Iterator[None]:
    """Within the block the first signal prints `announcement` and calls `request_stop`;
    another one raises KeyboardInterrupt. What the process was started to ignore, by nohup or
    in the background of a script, it goes on ignoring.
    """
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        print(f"\n{announcement}", file=sys.stderr, flush=True)
        request_stop()

    before = {
        number: signal.signal(number, handle)
        for number in _SIGNALS
        if signal.getsignal(number) not in (signal.SIG_IGN, None)  # None: not Python's, and can't be put back
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
