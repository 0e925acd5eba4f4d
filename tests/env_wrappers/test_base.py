"""The contract of task families: the infos of a path, distances, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from env_wrappers import make_env
from env_wrappers.base import HindsightRewards, distance, path_info, rewards_like


def test_bad_tasks_are_refused():
    with pytest.raises(ValueError, match="task index"):
        make_env("point-robot", n_tasks=2).reset_task(2)
    with pytest.raises(ValueError, match="check n_tasks"):
        make_env("point-robot", n_tasks=0)


def test_reward_functions_return_the_shared_type():
    env = make_env("point-robot", n_tasks=2)
    assert isinstance(env.reward_of(np.zeros(2, np.float32), env.tasks[0]), HindsightRewards)


def test_an_info_is_stacked_from_either_format():
    steps = [{"speed": np.array([1.0, 2.0])}, {"speed": np.array([3.0, 4.0])}]
    for infos in (steps, {"speed": [[1.0, 2.0], [3.0, 4.0]]}):
        np.testing.assert_array_equal(path_info({"env_infos": infos}, "speed"), [[1.0, 2.0], [3.0, 4.0]])


def test_distances_broadcast_and_are_the_same_bits_alone_and_in_a_batch():
    assert distance(np.float32([3.0, 4.0, 12.0]), np.zeros(3)) == 13.0
    rng = np.random.default_rng(0)
    points, goals = rng.normal(size=(40, 3)).astype(np.float32), rng.normal(size=(7, 3))
    together = distance(points[None], goals[:, None])
    assert together.shape == (7, 40)
    assert together.dtype == np.float64
    for k, goal in enumerate(goals):
        np.testing.assert_array_equal(together[k], [distance(point, goal) for point in points])


def test_rewards_are_cast_and_one_terminal_goes_for_all():
    result = rewards_like(np.array([[1.0, 2.0]]), True, sparse=np.array([[0, 1]]))
    assert [part.dtype for part in result] == [np.float32, bool, np.float32]
    assert result.terminals.tolist() == [[True, True]]
    each = rewards_like(np.zeros(3), np.array([0, 1, 0])).terminals
    assert each.dtype == bool
    assert each.tolist() == [False, True, False]


def test_goal_distances_are_in_units_of_the_tolerance():
    env = make_env("sparse-point-robot", n_tasks=3)
    path = {"env_infos": {"achieved": np.float32(env.tasks[[2]] * 0.5)}}
    np.testing.assert_allclose(env.goal_distances(path, [2]), [[0.5 / 0.2]], rtol=1e-6)
    with pytest.raises(ValueError, match="the tasks of PointRobot are no goals"):
        make_env("point-robot").goal_distances(path, [0])
