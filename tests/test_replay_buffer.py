"""The replay buffer: it grows, wraps, and gives back what it holds."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr.replay_buffer import SimpleReplayBuffer


def test_buffer_grows_wraps_and_samples_what_it_holds(make_path):
    buffer = SimpleReplayBuffer(700, 2, 2, np.random.default_rng(0))
    assert len(buffer._rewards) < 700
    for marker in range(100):
        buffer.add_path(make_path(length=9, marker=marker, seed=marker))
    assert buffer.num_steps_can_sample() == 700
    held = np.unique(buffer._observations[:, 0])
    assert held.min() == 22  # 900 steps went in, the last 700 are paths 22 (in part) to 99
    assert set(buffer.random_batch(20000)["observations"][:, 0]) == set(held)
    path = make_path(
        length=5, terminals=np.array([[0], [0], [0], [0], [1]]), env_infos={"sparse_reward": np.arange(5)}
    )
    small = SimpleReplayBuffer(10, 2, 2, np.random.default_rng(0))
    small.add_path(path)
    for key, expected in (
        ("_rewards", path["rewards"]),
        ("_terminals", path["terminals"]),
        ("_sparse_rewards", np.arange(5)[:, None]),
    ):
        np.testing.assert_array_equal(getattr(small, key)[:5], expected)
    for key, name in (
        ("_observations", "observations"),
        ("_next_obs", "next_observations"),
        ("_actions", "actions"),
    ):
        np.testing.assert_array_equal(getattr(small, key)[:5], path[name])
    small.clear()
    with pytest.raises(ValueError, match="empty"):
        small.random_batch(1)
    small.add_path(make_path(length=25, marker=3))
    assert small.num_steps_can_sample() == 10


def test_unusual_rows_are_those_that_paid(make_path):
    buffer = SimpleReplayBuffer(20, 2, 2, np.random.default_rng(0))
    assert buffer.unusual_rows().tolist() == []
    rewards = np.array([[-1.0], [-1.0], [0.0], [-1.0], [-3.0]], np.float32)
    buffer.add_path(make_path(length=5, rewards=rewards))
    assert buffer.unusual_rows().tolist() == [2, 4]
    buffer.add_path(make_path(length=5, env_infos={"sparse_reward": np.array([0, 0.5, 0, 0, 1.0])}))
    assert buffer.unusual_rows().tolist() == [6, 9]  # sparse rewards, where there are any, decide


def test_taken_rows_are_those_that_were_asked_for(make_path):
    buffer = SimpleReplayBuffer(20, 2, 2, np.random.default_rng(0))
    path = make_path(length=6)
    buffer.add_path(path)
    rows = np.array([4, 0, 4])
    np.testing.assert_array_equal(buffer.take(rows)["observations"], path["observations"][rows])
    np.testing.assert_array_equal(buffer.take(rows)["rewards"], path["rewards"][rows])
