"""What an interrupt does, and when."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from rlkit_hfr.signals import without_interrupts


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
