"""The point robots' rewards, by scalar formulas."""

import numpy as np
import pytest

from env_wrappers import make_env


def test_four_corners_scalar_formula():
    env = make_env("four-corners")
    rng = np.random.default_rng(0)
    points = np.concatenate(
        [rng.uniform(-1.3, 1.3, (2000, 2)), [[0.1, 0.3], [0.5, 0.3], [0.3, 0.3], [-0.3, 0.3], [0.8, 1.0]]]
    ).astype(np.float32)
    result = env.compute_rewards({"env_infos": {"achieved": points}}, range(4))
    for k, (gx, gy) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        for t, (x, y) in enumerate(points.astype(float)):
            solved = ((x - gx) ** 2 + (y - gy) ** 2) ** 0.5 <= 0.2
            inside = 0.1 < abs(x) < 0.5 and 0.1 < abs(y) < 0.5 and x * gx > 0 and y * gy > 0
            assert result.rewards[k, t] == (0 if solved else -3 if inside else -1)
            assert result.terminals[k, t] == solved


def test_sparse_point_robot_formula():
    env = make_env("sparse-point-robot", n_tasks=3)
    goal = env.tasks[1]
    points = np.array([goal, goal * 0.9, goal * 0.7], np.float32)
    result = env.compute_rewards({"env_infos": {"achieved": points}}, [1])
    np.testing.assert_allclose(result.rewards[0], [0.0, -0.1, -0.3], atol=1e-6)
    np.testing.assert_allclose(result.sparse_rewards[0], [1.0, 0.9, 0.0], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(env.tasks, axis=1), 1.0)


def test_there_are_four_corners():
    with pytest.raises(ValueError, match="exactly 4 tasks"):
        make_env("four-corners", n_tasks=5)
