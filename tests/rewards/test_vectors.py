"""Rewards of tasks that are given by their vectors, and the checks of what a caller gives."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr import VectorRewards


def _near(path, vectors):
    """A path is paid minus its distance to the task's vector, at every step."""
    return -np.abs(path["actions"][None, :, 0] - vectors[:, :1])


VECTORS = np.array([[0.0, 0.0], [10.0, 0.0]])


def test_what_a_caller_gives_is_checked(make_path):
    with pytest.raises(ValueError, match=r"vectors must be finite numbers \(n_tasks, G\)"):
        VectorRewards(_near, [1.0, 2.0], None)
    wrong = VectorRewards(_near, VECTORS, lambda number, rng: np.zeros(number))
    with pytest.raises(ValueError, match=r"shape \(3, 2\), got \(3,\)"):
        wrong.sample(3, np.random.default_rng(0))
    bad = VectorRewards(lambda path, vectors: np.zeros(3), VECTORS, None)
    with pytest.raises(ValueError, match=r"must have shape \(K, T\)"):
        bad(make_path(2), [0])


def test_a_task_pays_by_its_index_what_its_vector_pays(make_path):
    rewards = VectorRewards(_near, VECTORS, lambda number, rng: rng.normal(size=(number, 2)))
    path = make_path(2, actions=np.full((2, 2), 4.0, np.float32))
    for found in (rewards(path, [1, 0]), rewards.of_vectors(path, VECTORS[[1, 0]])):
        assert found.rewards.tolist() == [[-6.0, -6.0], [-4.0, -4.0]]
    drawn = rewards.sample(3, np.random.default_rng(5))
    np.testing.assert_array_equal(drawn, np.random.default_rng(5).normal(size=(3, 2)))
