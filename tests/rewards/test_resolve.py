"""Where hindsight rewards come from, and what a wrong reward function is told."""

from __future__ import annotations

import numpy as np
import pytest

from env_wrappers import make_env
from rlkit_hfr.rewards.hindsight import relabel_path
from rlkit_hfr.rewards.resolve import resolve_rewards
from rlkit_hfr.rewards.task_rewards import TaskRewards, as_task_rewards


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


def test_errors_say_what_was_wrong(make_path):
    path = make_path()
    with pytest.raises(ValueError, match=r"no hindsight rewards: object .*pass rewards=your_function"):
        resolve_rewards(object.__new__(type("object", (), {})))
    with pytest.raises(ValueError, match="must be a function"):
        resolve_rewards(make_env("point-robot"), rewards=3)
    with pytest.raises(ValueError, match=r"shape \(K, T\) = \(2, 5\), got \(5, 2\)"):
        as_task_rewards(np.zeros((5, 2)), path, 2)
    with pytest.raises(ValueError, match="got 4 values"):
        as_task_rewards((0, 0, 0, 0), path, 2)


@pytest.mark.parametrize("as_list", [True, False])
def test_relabel_path_rewrites_sparse_rewards_in_either_format_and_keeps_every_info(make_path, as_list):
    infos = {"sparse_reward": np.zeros(3, np.float32), "other": np.arange(3)}
    rows = [{key: value[t] for key, value in infos.items()} for t in range(3)]
    path = make_path(3, env_infos=rows if as_list else infos)
    rewards = TaskRewards(
        np.ones((2, 3), np.float32), np.zeros((2, 3), bool), np.full((2, 3), 0.5, np.float32)
    )
    new = relabel_path(path, rewards, 1)
    if as_list:
        assert [row["sparse_reward"] for row in new["env_infos"]] == [0.5] * 3
        assert [row["other"] for row in new["env_infos"]] == [0, 1, 2]
        assert [row["sparse_reward"] for row in path["env_infos"]] == [0.0] * 3
    else:
        assert (new["env_infos"]["sparse_reward"] == 0.5).all()
        assert (path["env_infos"]["sparse_reward"] == 0.0).all()
        assert new["env_infos"]["other"].tolist() == [0, 1, 2]
