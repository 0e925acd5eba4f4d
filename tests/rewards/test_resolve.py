"""Where hindsight rewards come from, and what is said where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from env_wrappers import make_env
from rlkit_hfr.rewards.resolve import resolve_rewards
from rlkit_hfr.rewards.task_rewards import TaskRewards


class ProxyEnv:
    """rlkit's wrapper keeps the inner environment in `_wrapped_env`."""

    def __init__(self, env):
        self._wrapped_env = env


def test_compute_rewards_is_found_through_wrappers(make_path):
    env = make_env("point-robot", n_tasks=3)
    path = make_path()
    direct, wrapped = (
        resolve_rewards(env)(path, [0, 2]),
        resolve_rewards(ProxyEnv(ProxyEnv(env)))(path, [0, 2]),
    )
    assert isinstance(direct, TaskRewards)
    np.testing.assert_array_equal(direct.rewards, wrapped.rewards)


def test_a_given_function_wins_and_may_return_rewards_alone(make_path):
    env = make_env("point-robot", n_tasks=3)
    path = make_path(terminals=np.array([[0], [0], [0], [0], [1]], bool))
    result = resolve_rewards(env, lambda path, tasks: np.full((len(tasks), 5), 7.0))(path, [0, 1])
    assert (result.rewards == 7.0).all()
    assert result.terminals.tolist() == [[False] * 4 + [True]] * 2  # not given: as recorded
    pair = resolve_rewards(env, lambda path, tasks: (np.zeros((2, 5)), np.ones((2, 5))))(path, [0, 1])
    assert pair.terminals.all()


def test_errors_say_what_was_wrong():
    with pytest.raises(ValueError, match=r"no hindsight rewards: object .*pass rewards=your_function"):
        resolve_rewards(object.__new__(type("object", (), {})))
    with pytest.raises(ValueError, match="must be a function"):
        resolve_rewards(make_env("point-robot"), rewards=3)
