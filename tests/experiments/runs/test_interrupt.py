"""The first signal asks, the second stops; `test_checkpoint.py` sends them to runs."""

from __future__ import annotations

import os
import signal

import pytest

from rlkit_hfr.experiments.runs.interrupt import graceful_stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_and_the_second_stops(number, capsys):
    before, asked = signal.getsignal(number), []

    def twice():
        with graceful_stop(lambda: asked.append("stop"), "Finishing."):
            os.kill(os.getpid(), number)
            assert asked == ["stop"]
            assert capsys.readouterr().err == "\nFinishing.\n"
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the second did not stop it")

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert asked == ["stop"]
    assert signal.getsignal(number) is before


def test_without_a_signal_nothing_is_said_and_handlers_are_put_back(capsys):
    before = signal.getsignal(signal.SIGTERM)
    with graceful_stop(pytest.fail, "Finishing."):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_a_run_was_started_to_ignore_does_not_stop_it(number, capsys):
    """As nohup does with SIGHUP, and a script with the SIGINT of what it starts in the background."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with graceful_stop(pytest.fail, "Finishing."):
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
    assert capsys.readouterr().err == ""
