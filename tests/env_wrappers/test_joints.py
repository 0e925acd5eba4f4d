"""Tasks with other actuators: which factors there are, and what they do."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from env_wrappers import make_env
from env_wrappers.joints import broken_legs, negated_joints


def test_negated_joints_and_broken_legs_are_new_in_testing():
    train, test = negated_joints(6)
    assert train.shape == test.shape == (10, 6)
    assert ((train == -1).sum(axis=1) == 3).all()
    assert ((test == -1).sum(axis=1) == 3).all()
    assert (train[:, 5] == 1).all()
    assert (test[:, 5] == -1).all()
    train, test = broken_legs(4, 2)
    assert train.tolist() == [[0, 0, 1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 1, 1]]
    assert test.tolist() == [[1, 1, 1, 1, 1, 1, 0, 0]]
    env = make_env("cheetah-negated-joints", n_tasks=5, n_test_tasks=2)
    assert (env.tasks[:3, 5] == 1).all()
    assert (env.tasks[3:, 5] == -1).all()
    with pytest.raises(ValueError, match="10 training and 10 test tasks at most"):
        make_env("cheetah-negated-joints", n_tasks=30)


@pytest.mark.parametrize("name", ["cheetah-negated-joints", "ant-negated-joints", "ant-broken-leg"])
def test_an_actuator_does_what_its_factor_says(name):
    """The task with factors f moves under a as the plain model does under f a."""
    env = make_env(name, seed=3)
    env.reset_task(0)
    plain = copy.deepcopy(env)
    plain.tasks = np.ones_like(env.tasks)
    action = np.random.default_rng(0).uniform(-1, 1, env.action_space.shape)
    np.testing.assert_array_equal(env.step(action)[0], plain.step(action * env.tasks[0])[0])
    assert not np.array_equal(env.step(action)[0], plain.step(action)[0])
