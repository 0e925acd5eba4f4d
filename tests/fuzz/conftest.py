"""Runs whose files are damaged by the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing import run, tiny_arguments

from rlkit_hfr.pearl.sac import PEARLSoftActorCritic


@pytest.fixture(scope="session")
def originals(tmp_path_factory) -> Path:
    """Folders of a run that was stopped in its second iteration, and of the same one
    finished.
    """
    folder = tmp_path_factory.mktemp("originals")
    training = PEARLSoftActorCritic._do_training

    def stopping(self, indices):
        training(self, indices)
        self.stop_requested = self._n_train_steps_total >= 3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PEARLSoftActorCritic, "_do_training", stopping)
        with pytest.raises(AssertionError, match="130"):
            run("train", [*tiny_arguments(), "--run-dir", str(folder / "stopped")])
    assert run("train", [*tiny_arguments(), "--run-dir", str(folder / "finished")]).code == 0
    return folder
