"""What the tests of runs share."""

from __future__ import annotations

import pytest

from rlkit_hfr.experiments.commands.train import main


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
