"""The figures of relabeling in the host's log, and the warnings of requests."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import standin_families
import torch

from rlkit_hfr import attach
from rlkit_hfr.hosts.recording import (
    forget_our_columns,
    has_our_columns,
    save_diagnostics,
    set_table_keys,
    table_keys,
)


class DrawingEvaluate(standin_families.OysterLike):
    def evaluate(self, epoch):
        super().evaluate(epoch)
        self.enc_replay_buffer.random_batch(self.task_ids[0], 3)


def test_an_evaluate_that_draws_batches_is_wrapped_once():
    algorithm = DrawingEvaluate()
    relabeling = attach(algorithm, "hfr", relabel_fraction=1.0)
    algorithm.train()
    assert "relabel/paths seen" in standin_families.logger.rows[-1]
    relabeling.detach()
    assert "evaluate" not in vars(algorithm)


class TaskByTask(standin_families.OysterLike):
    def training_batch(self, tasks):
        context = torch.cat([self.sample_context(task) for task in tasks])
        return context, [self.replay_buffer.random_batch(task, 8) for task in tasks]


def test_a_host_whose_training_cannot_be_told_from_collection_is_warned_of():
    algorithm = TaskByTask()
    relabeling = attach(algorithm, "hfr", relabel_fraction=1.0)
    with pytest.warns(UserWarning, match="asked for no context of several tasks"):
        algorithm.train(3)
    assert relabeling._router.iteration == 2  # log Z is renewed all the same: updates are seen on the weights
    assert len(relabeling._router.ledger._pending) < 10


def test_diagnostics_are_saved_in_single_precision_a_file_an_epoch(tmp_path):
    arrays = {"probs": np.array([0.25, 0.75]), "tasks": np.array([3, 1])}
    for epoch in (0, 1):
        save_diagnostics(tmp_path, epoch, arrays)
    with np.load(tmp_path / "relabeling" / "epoch_1.npz") as saved:
        assert saved["probs"].dtype == np.float32
        assert saved["probs"].tolist() == [0.25, 0.75]
        assert saved["tasks"].dtype == arrays["tasks"].dtype
    assert len(list((tmp_path / "relabeling").iterdir())) == 2


def test_our_columns_are_forgotten_and_the_hosts_stay():
    algorithm = standin_families.OysterLike()
    forget_our_columns(algorithm)
    assert table_keys(algorithm) is None
    set_table_keys(algorithm, ["Epoch", "relabel/entropy", "Eval"])
    assert has_our_columns(table_keys(algorithm))
    forget_our_columns(algorithm)
    assert table_keys(algorithm) == {"Epoch", "Eval"}


def test_diagnostics_are_whole_or_not_there(tmp_path, monkeypatch):
    save_diagnostics(tmp_path, 0, {"tasks": np.arange(3)})
    assert np.load(tmp_path / "relabeling" / "epoch_0.npz")["tasks"].tolist() == [0, 1, 2]

    def half(file, **arrays):
        if hasattr(file, "write"):
            file.write(b"half")
        else:
            Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(OSError):
        save_diagnostics(tmp_path, 1, {"tasks": np.arange(3)})
    assert os.listdir(tmp_path / "relabeling") == ["epoch_0.npz"]
