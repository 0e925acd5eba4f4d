"""Tiny runs in processes of their own, which may be killed."""

from __future__ import annotations

import csv
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from tiny_runs import assignments, options
from tqdm import tqdm

from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.runs.checkpoint import is_finished
from rlkit_hfr.pearl import logger as logging

TINY = assignments(num_iterations=5, relabel_fraction=1.0)


def start_of(
    folder: Path, *settings: str, env: str = "sparse-point-robot", relabeler: str = "hfr"
) -> list[str]:
    """The launcher's arguments for a run of five iterations."""
    pairs = options([*TINY, *settings])
    return ["--env", env, "--relabeler", relabeler, "--preset", "quick", "--run-dir", str(folder), *pairs]


def in_a_child(arguments: list[str], before=None, kill_when=None) -> int:
    """Run the launcher in a forked process; returns its exit code, or minus the signal
    that ended it. kill_when: asked until it is true, which is the moment of a SIGKILL.
    """
    child = os.fork()
    if child == 0:
        code = 70
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1), os.dup2(quiet, 2)
            logging.logger.reset()
            # a progress bar's lock is a semaphore that forked processes share: one that is killed
            # while it holds it would stop all others for good
            tqdm.set_lock(threading.RLock())
            if before is not None:
                before()
            code = main(arguments)
        finally:
            os._exit(code)
    while kill_when is not None:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if kill_when():
            os.kill(child, signal.SIGKILL)
            break
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def rows_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "progress.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Epoch"] for row in rows] == [str(i) for i in range(len(rows))]
    return [
        {key: value for key, value in row.items() if "(s)" not in key and "share of time" not in key}
        for row in rows
    ]


def go_on_until_done(folder: Path, start: list[str]) -> None:
    for _ in range(30):
        if is_finished(folder):
            return
        assert in_a_child(["--resume", str(folder)] if (folder / "variant.json").exists() else start) == 0
    pytest.fail("the run does not end")
