"""Runs whose files are damaged by the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing import run, tiny_arguments
from tiny_runs import stopping_after


@pytest.fixture(scope="session")
def originals(tmp_path_factory) -> Path:
    """Folders of a run that was stopped in its second iteration, and of the same one
    finished.
    """
    folder = tmp_path_factory.mktemp("originals")
    with stopping_after(3), pytest.raises(AssertionError, match="130"):
        run("train", [*tiny_arguments(), "--run-dir", str(folder / "stopped")])
    assert run("train", [*tiny_arguments(), "--run-dir", str(folder / "finished")]).code == 0
    return folder
