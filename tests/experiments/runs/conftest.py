"""What the tests of runs share."""

from __future__ import annotations

import pytest
from child_runs import in_a_child, rows_of, start_of

from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.runs.checkpoint import NAME


@pytest.fixture
def refusal(tmp_path, capsys):
    """The one line of a run that is refused, and leaves nothing."""

    def of(*arguments: str) -> str:
        assert main(["--env", "point-robot", "--log-dir", str(tmp_path / "log"), *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert not (tmp_path / "log").exists()
        return error

    return of


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The log of a run that was never stopped, by its arguments."""
    done = {}

    def run(*settings, **options):
        key = (settings, tuple(options.items()))
        if key not in done:
            folder = tmp_path_factory.mktemp("whole") / "run"
            assert in_a_child(start_of(folder, *settings, **options)) == 0
            done[key] = rows_of(folder)
            assert len(done[key]) == 5
            assert not (folder / NAME).exists()
        return done[key]

    return run
