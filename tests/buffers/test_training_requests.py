"""Which argument of a request names its tasks."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr.buffers.training_requests import batch_methods, tasks_asked_for

TASKS = {3, 5, 7}


@pytest.mark.parametrize("tasks", [[5, 3], (5, 3), np.array([5, 3]), {5: None, 3: None}.keys()])
def test_the_first_collection_of_task_indices(tasks):
    assert tasks_asked_for((64, tasks), {"to_tensor": True}, TASKS) == [5, 3]
    assert tasks_asked_for((64,), {"indices": tasks}, TASKS) == [5, 3]
    assert tasks_asked_for(([7], tasks), {}, TASKS) == [7]
    found = tasks_asked_for(([np.int64(5), np.int64(3)],), {}, TASKS)
    assert [type(task) for task in found] == [int, int]


@pytest.mark.parametrize(
    "value",
    [5, "57", b"57", {5: 3}, [], [4], [5, 4], ["a"], [True], [5.0], np.zeros((0,)), np.array([[5, 3]]), None],
)
def test_anything_else_is_a_request_for_one(value):
    assert tasks_asked_for((value,), {"other": value}, TASKS) is None


class _Draws:
    def sample_context(self, indices):
        return [self.enc_replay_buffer.random_batch(index, 4) for index in indices]


class _Calls(_Draws):
    def sample_context(self, indices):
        return super().sample_context(indices)[::-1]


class _CallsByName(_Draws):
    def sample_context(self, indices):
        return _Draws.sample_context(self, indices)


class _Overrides(_Draws):
    def sample_context(self, indices):
        return indices


@pytest.mark.parametrize(
    ("cls", "found"),
    [
        (_Draws, True),
        (_Calls, True),
        (_CallsByName, True),
        (_Overrides, False),
        (type("_Heir", (_Calls,), {}), True),
    ],
)
def test_an_override_that_calls_what_draws_draws_too(cls, found):
    assert batch_methods(cls, "enc_replay_buffer") == ["sample_context"] * found
