"""What is read from a path: infos in either format, context rows, padding and a choice of steps."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr.paths import (
    ContextLayout,
    context_rows,
    info_column,
    info_rows,
    pad,
    recorded_rewards,
    take_steps,
)


def _both_formats(make_path, **infos):
    steps = len(next(iter(infos.values())))
    as_list = [{key: values[t] for key, values in infos.items()} for t in range(steps)]
    return make_path(steps, env_infos=infos), make_path(steps, env_infos=as_list)


def test_infos_are_read_from_either_format(make_path):
    for path in _both_formats(make_path, speed=np.array([1.0, 2.0, 3.0]), at=np.arange(6).reshape(3, 2)):
        column = info_column(path, "speed")
        assert (column.tolist(), column.dtype) == ([[1.0], [2.0], [3.0]], np.float32)
        assert info_column(path, "height") is None
        rows = info_rows(path)
        assert [row["speed"] for row in rows] == [1.0, 2.0, 3.0]
        assert [row["at"].tolist() for row in rows] == [[0, 1], [2, 3], [4, 5]]
    assert info_column(make_path(env_infos=[]), "speed") is None


def test_the_context_sees_the_sparse_reward_where_it_is_asked_for(make_path):
    for path in _both_formats(make_path, sparse_reward=np.array([0.0, 7.0])):
        assert recorded_rewards(path, sparse=True).tolist() == [[0.0], [7.0]]
        np.testing.assert_array_equal(recorded_rewards(path, sparse=False), path["rewards"])
    with pytest.raises(ValueError, match='records no info\\["sparse_reward"\\]'):
        recorded_rewards(make_path(), sparse=True)


@pytest.mark.parametrize("with_next_obs", [False, True])
def test_a_context_row_has_its_columns_where_the_layout_says(make_path, with_next_obs):
    layout, path = ContextLayout(3, 2, with_next_obs), make_path(4, obs_dim=3)
    rows = context_rows(path, np.arange(4), with_next_obs)
    assert rows.shape == (4, layout.width) == (4, 9 if with_next_obs else 6)
    np.testing.assert_array_equal(rows[:, layout.obs], path["observations"])
    np.testing.assert_array_equal(rows[:, layout.action], path["actions"])
    np.testing.assert_array_equal(rows[:, layout.reward], np.arange(4))
    expected = path["next_observations"] if with_next_obs else np.zeros((4, 0))
    np.testing.assert_array_equal(rows[:, layout.next_obs], expected)


def test_arrays_are_padded_with_zeros_behind_their_rows():
    rows, mask = pad([np.full((2, 1), 5.0), np.full((3, 1), 7.0), np.zeros((0, 1))])
    assert rows[..., 0].tolist() == [[5.0, 5.0, 0.0], [7.0, 7.0, 7.0], [0.0, 0.0, 0.0]]
    assert mask.tolist() == [[True, True, False], [True, True, True], [False, False, False]]
    assert rows.dtype == np.float32


def test_a_choice_of_steps_takes_what_is_stored_per_step(make_path):
    chosen = np.array([True, False, True])
    for path in _both_formats(make_path, at=np.arange(3)):
        new = take_steps({**path, "context": np.ones(5), "name": "abc"}, chosen)
        np.testing.assert_array_equal(new["rewards"], path["rewards"][[0, 2]])
        assert [row["at"] for row in info_rows(new)] == [0, 2]
        assert new["context"].tolist() == [1.0] * 5
        assert new["name"] == "abc"
        assert len(path["rewards"]) == 3
