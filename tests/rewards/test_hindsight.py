"""A path rewritten with the rewards of another task, and how much of it an episode of that task has."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from rlkit_hfr.rewards.hindsight import Hindsight, relabel_path, warn_unless_own_rewards
from rlkit_hfr.rewards.task_rewards import TaskRewards, as_task_rewards


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


def test_a_relabeled_path_has_columns_of_the_hosts_shape(make_path):
    path = make_path(6)
    rewards = as_task_rewards((np.full((3, 6), 2.0, np.float32), np.eye(3, 6)), path, 3)
    relabeled = relabel_path(path, rewards, 1)
    assert relabeled["rewards"].shape == relabeled["terminals"].shape == (6, 1)
    assert relabeled["terminals"][:, 0].tolist() == [False, True, False, False, False, False]
    assert (relabeled["rewards"] == 2).all()


TERMINALS = np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], bool)


@pytest.mark.parametrize(("after_terminal", "steps"), [("keep", [4, 4, 4]), ("drop", [2, 4, 1])])
def test_an_episode_of_a_task_ends_at_its_first_terminal_or_goes_on(after_terminal, steps):
    hindsight = Hindsight(lambda path, tasks: None, after_terminal=after_terminal)
    episodes = hindsight.episode(TaskRewards(np.zeros((3, 4), np.float32), TERMINALS))
    np.testing.assert_array_equal(episodes, np.arange(4) < np.array(steps)[:, None])


@pytest.mark.parametrize(("off_by", "warned"), [(0.0, False), (0.001, False), (0.1, True)])
def test_hindsight_that_does_not_give_back_what_was_recorded_is_said(make_path, off_by, warned):
    """The first step that differs is named, with its own task."""
    path = make_path(3, rewards=np.array([[1.0], [2.0], [2.0]]))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warn_unless_own_rewards(path, np.array([1.0, 2.0 + off_by, 5.0 if warned else 2.0]), [7, 8, 9])
    told = "path of task 8 recorded: step 1 was paid 2, hindsight says 2.1"
    assert [told in str(warning.message) for warning in said] == [True] * warned
