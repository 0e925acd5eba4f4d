"""What an interrupt does, and when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from rlkit_hfr.signals import exit_on_interrupt, raise_on_interrupt, without_interrupts


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside another thread"])
def test_an_interrupt_waits_until_the_files_are_moved(beside):
    done, over = [], threading.Event()

    def work():
        with without_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)  # for the other thread to take it
            done.append(1)

    other = threading.Thread(target=over.wait)
    if beside:
        other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        over.set()
    assert done == [1]


def test_two_interrupts_that_waited_are_one():
    def work():
        with without_interrupts():
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_and_handlers_are_left_alone():
    found = []

    def work():
        with without_interrupts():
            found.append(signal.getsignal(signal.SIGINT))
        exit_on_interrupt()  # only the first thread may
        found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler] * 2
    raise_on_interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("raising", [False, True])
def test_an_early_interrupt_undoes_what_was_begun_the_latest_first(raising):
    """The end of a block, and a later choice to raise, take it back."""
    code = f"""
import os, signal
from rlkit_hfr.signals import exit_on_interrupt, raise_on_interrupt, undone_on_interrupt
def failing():
    raise OSError
exit_on_interrupt()
with undone_on_interrupt(lambda: print("never")):
    pass
with undone_on_interrupt(lambda: print("first", flush=True)), undone_on_interrupt(failing):
    with undone_on_interrupt(lambda: print("second", flush=True)):
        if {raising}:
            raise_on_interrupt()
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            print("raised", flush=True)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    expected = (0, "raised\n", "") if raising else (130, "second\nfirst\n", "Interrupted.\n")
    assert (run.returncode, run.stdout, run.stderr) == expected


def test_a_reader_that_went_away_is_no_error():
    """What was left to write is not tried again as the interpreter ends."""
    code = """
import sys
from rlkit_hfr.signals import pipe_closed
print("line")
sys.exit(pipe_closed())
"""
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, text=True, env=buffered
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (141, "")
