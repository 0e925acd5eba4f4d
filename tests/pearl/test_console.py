"""The line of an iteration fits a terminal."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from rlkit_hfr.pearl.console import Console


def _row(steps, reward, success=math.nan, offered=math.nan, share=math.nan):
    return {
        "Number of env steps total": steps,
        "AverageReturn_all_test_tasks": reward,
        "SuccessRate_all_test_tasks": success,
        "relabel/paths seen": offered,
        "relabel/paths relabeled": offered,
        "relabel/share that changed task": share,
        "relabel/effective tasks": 1.0,
    }


def test_an_iteration_says_steps_return_success_and_moved_paths(capsys):
    console = Console()
    console.on_start(SimpleNamespace(num_iterations=40, iterations_done=11))
    console.on_iteration(None, _row(52000, -31.2, 0.65, 30, 14 / 30))
    line = capsys.readouterr().out
    assert line.startswith("12/40  52,000 steps  return -31.2  success 65%  moved 14/30  ")
    assert line.rstrip().endswith(" left")


@pytest.mark.parametrize("reward", [-1234567.891, 1e-9, 99999.9, math.nan, -1e300])
def test_the_widest_line_has_80_columns(reward, capsys):
    console = Console()
    console.on_start(SimpleNamespace(num_iterations=10000, iterations_done=9998))
    console.on_iteration(None, _row(123_456_789, reward, 1.0, 12345, 1.0))
    console.on_iteration(None, _row(99_999_999, reward))
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
