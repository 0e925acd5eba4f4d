"""What a reward function returns is brought to one form, or refused with the name and the place."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rlkit_hfr.rewards.task_rewards import as_task_rewards, until_terminal


def _good(shape=(3, 5)):
    return np.zeros(shape, np.float32)


def _with(value, dtype=np.float64):
    array = np.zeros((3, 5), dtype)
    array[1, 2] = value
    return array


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "got None"),
        ((), "got 0 values"),
        ((0, 0, 0, 0), "got 4 values"),
        (5.0, r"got \(\)"),
        (_good((5, 3)), r"shape \(K, T\) = \(3, 5\), got \(5, 3\)"),
        (_with(np.nan), "got nan at step 2 under the task of row 1"),
        (_with(np.inf), "got inf at step 2"),
        (_with(1e300), "got 1e\\+300 at step 2"),
        (_good() + 0j, "real numbers, got complex"),
        (np.zeros((3, 5), "datetime64[s]"), "real numbers, got datetime64"),
        (np.zeros((3, 5), object), "real numbers, got object"),
        (np.ma.zeros((3, 5)), "masked"),
        ([[1], [2, 3]], "no array"),
        (torch.zeros(3, 5, requires_grad=True), "no array"),
        ((_good(), _with(np.nan)), "terminals of mine must be true or false.*got nan"),
        ((_good(), _with(0.5)), "got 0.5 at step 2"),
        ((_good(), np.full((3, 5), "False")), "must be true or false, got <U5"),
        ((_good(), None, _with(-np.inf)), "sparse_rewards of mine must be finite"),
        ((None, None), "got None"),
    ],
)
def test_rewards_that_are_none_are_refused_by_name_and_place(make_path, result, message):
    with pytest.raises(ValueError, match=message):
        as_task_rewards(result, make_path(), 3, "mine")


@pytest.mark.parametrize(
    "terminals", [np.ones((3, 5), bool), np.ones((3, 5)), np.ones((3, 5), np.uint8), [[1] * 5] * 3, None]
)
def test_rewards_of_every_real_kind_are_taken(make_path, terminals):
    for values in (
        np.ones((3, 5)),
        np.ones((3, 5), np.int64),
        np.ones((3, 5), np.float16),
        [[1] * 5] * 3,
        torch.ones(3, 5),
    ):
        result = as_task_rewards((values, terminals), make_path(), 3)
        assert result.rewards.dtype == np.float32
        assert result.terminals.dtype == bool
        assert (result.rewards == 1).all()
        assert (result.terminals == (terminals is not None)).all()


def test_an_episode_ends_with_its_first_terminal():
    terminals = np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]], bool)
    assert until_terminal(terminals).sum(axis=1).tolist() == [2, 4, 1, 4]
    assert until_terminal(terminals)[:, 0].all()
