"""The numbers of a task, from what an environment calls its tasks or goals."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr.rewards.task_vectors import task_vectors


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        (np.array([[1.0, 2.0], [3.0, 4.0]]), [[1, 2], [3, 4]]),
        ([{"velocity": 0.5}, {"velocity": 2.0}], [[0.5], [2.0]]),
        (
            [{"goal": np.array([1.0, 2.0]), "mass": 3}, {"goal": np.array([4.0, 5.0]), "mass": 6}],
            [[1, 2, 3], [4, 5, 6]],
        ),
        (["left", "right"], np.eye(2)),
        ([[1.0, 2.0], [3.0]], np.eye(2)),  # of different lengths
        ([[1.0]], np.eye(2)),  # the second task is not in it
        ({0: 1.0, 1: 2.0}, np.eye(2)),  # no list: what its keys are is not known
        (7, np.eye(2)),
    ],
)
def test_task_vectors_are_numbers_or_one_hot(tasks, expected):
    env = type("Env", (), {"tasks": tasks})()
    np.testing.assert_array_equal(np.stack(list(task_vectors([env], [0, 1]).values())), expected)


def test_the_first_layer_that_has_numbers_is_taken():
    outer, inner, innermost = (
        type("Layer", (), attributes)()
        for attributes in ({"tasks": ["a", "b"]}, {"goals": [[1.0], [2.0]]}, {"tasks": [[3.0], [4.0]]})
    )
    assert [v.tolist() for v in task_vectors([outer, inner, innermost], [1, 0]).values()] == [[2.0], [1.0]]
