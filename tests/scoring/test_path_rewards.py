"""Rewards and returns of one path whose answer is known: task k pays k at every step, and k + 1 in
the sparse column at the last.
"""

from __future__ import annotations

import types

import numpy as np
import pytest

from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.rewards.vectors import VectorRewards
from rlkit_hfr.scoring.path_rewards import NO_GOALS, NO_VECTORS, PathRewards

STEPS = 3
PATH = dict(
    observations=np.zeros((STEPS, 2), np.float32),
    next_observations=np.zeros((STEPS, 2), np.float32),
    actions=np.zeros((STEPS, 1), np.float32),
    rewards=np.full((STEPS, 1), 5.0, np.float32),
    terminals=np.zeros((STEPS, 1)),
    agent_infos={},
    env_infos={},
)


class _Rewards:
    def __init__(self, sparse: bool) -> None:
        self.sparse, self.asked = sparse, 0

    def __call__(self, path, tasks):
        self.asked += 1
        rows = np.repeat(np.asarray(tasks, np.float64)[:, None], STEPS, axis=1)
        sparse = np.zeros_like(rows)
        sparse[:, -1] = np.asarray(tasks) + 1.0
        return TaskRewards(rows, np.zeros(rows.shape, bool), sparse if self.sparse else None)


def _scorer(sparse_context: bool, hindsight: Hindsight, tasks=(1, 2)) -> PathRewards:
    host = types.SimpleNamespace(sparse_rewards=sparse_context, discount=0.5, layout=ContextLayout(2, 1))
    return PathRewards(host, hindsight, tasks)


def test_the_context_sees_the_sparse_rewards_where_the_host_says_so_and_the_critic_the_others():
    dense, sparse = (_scorer(flag, Hindsight(_Rewards(sparse=True))) for flag in (False, True))
    np.testing.assert_array_equal(dense.context_rewards(PATH), [[1, 1, 1], [2, 2, 2]])
    np.testing.assert_array_equal(sparse.context_rewards(PATH), [[0, 0, 2], [0, 0, 3]])
    np.testing.assert_array_equal(sparse.context_rewards(PATH, [7]), [[0, 0, 8]])
    np.testing.assert_array_equal(sparse.returns([PATH], discount=0.5), [[1.75, 3.5]])
    np.testing.assert_array_equal(sparse.returns([PATH], discount=0.5, of_context=True), [[0.5, 0.75]])


def test_returns_of_task_vectors_are_of_the_rewards_that_the_context_sees():
    vectors = VectorRewards(
        lambda path, given: _Rewards(sparse=True)(path, given[:, 0]), np.zeros((1, 1)), None
    )
    for sparse, expected in ((False, [1.75, 3.5]), (True, [0.5, 0.75])):
        hindsight = Hindsight(_Rewards(sparse=True), vectors=vectors)
        returns = _scorer(sparse, hindsight).vector_returns(PATH, np.array([[1.0], [2.0]]))
        np.testing.assert_array_equal(returns, expected)


def test_a_learned_reward_is_told_of_the_candidate_tasks_alone():
    class Learner:
        told: list = []

        def observe(self, paths, task):
            self.told.append(task)
            return np.ones(len(paths))

    scorer = _scorer(False, Hindsight(_Rewards(sparse=False), learner=Learner()))
    assert [len(scorer.collected([PATH], task)) for task in (1, 9, 2)] == [1, 0, 1]
    assert Learner.told == [1, 2]


@pytest.mark.parametrize(
    ("after_terminal", "steps", "returns"),
    [("drop", [[1, 1, 0], [1, 1, 1]], [[1.5, 3.5]]), ("keep", [[1, 1, 1], [1, 1, 1]], [[1.75, 3.5]])],
)
def test_a_return_ends_where_the_tasks_episode_does(after_terminal, steps, returns):
    """Task 1 ends at the second step and at the third, task 2 at the third."""

    def rewards(path, tasks):
        values, _, _ = _Rewards(sparse=False)(path, tasks)
        return TaskRewards(values, np.array([[False, True, True], [False, False, True]]))

    scorer = _scorer(False, Hindsight(rewards, after_terminal=after_terminal))
    np.testing.assert_array_equal(scorer.episode(PATH), steps)
    np.testing.assert_array_equal(scorer.returns([PATH], discount=0.5), returns)


def test_a_sparse_context_without_sparse_rewards_is_an_error():
    with pytest.raises(ValueError, match="no sparse part"):
        _scorer(True, Hindsight(_Rewards(sparse=False))).context_rewards(PATH)


def test_rewards_of_a_path_are_worked_out_once_until_they_are_forgotten():
    rewards = _Rewards(sparse=False)
    scorer = _scorer(False, Hindsight(rewards))
    scorer.task_rewards(PATH)
    scorer.returns([PATH], discount=1.0)
    assert rewards.asked == 1
    scorer.forget_rewards()
    scorer.task_rewards(PATH)
    assert rewards.asked == 2


def test_the_recorded_context_has_the_recorded_reward_or_zeros_where_no_sparse_one_is_recorded():
    reward = ContextLayout(2, 1).reward
    assert (_scorer(False, Hindsight(pytest.fail)).context_of(PATH)[:, reward] == 5.0).all()
    assert (_scorer(True, Hindsight(pytest.fail)).context_of(PATH)[:, reward] == 0.0).all()
    recorded = {**PATH, "env_infos": {"sparse_reward": np.array([0.0, 0.0, 1.0])}}
    np.testing.assert_array_equal(
        _scorer(True, Hindsight(pytest.fail)).context_of(recorded)[:, reward], [0, 0, 1]
    )


def test_rewarded_steps_are_those_with_a_sparse_reward_else_those_near_the_goal_else_unknown():
    def distances(path, tasks):
        return np.array([[3.0, 1.0, 0.5]] * len(tasks))

    recorded = {**PATH, "env_infos": {"sparse_reward": np.array([1.0, 0.0, 0.0])}}
    near = _scorer(False, Hindsight(pytest.fail, goal_distances=distances))
    np.testing.assert_array_equal(near.rewarded_steps(recorded, 1), [True, False, False])
    np.testing.assert_array_equal(near.rewarded_steps(PATH, 1), [False, True, True])
    assert _scorer(False, Hindsight(pytest.fail)).rewarded_steps(PATH, 1) is None


def test_task_vectors_pay_as_the_function_says():
    vectors = VectorRewards(
        lambda path, given: np.repeat(given, STEPS, axis=1),
        [[0.0], [1.0], [2.0]],
        lambda n, rng: np.ones((n, 1)),
    )
    scorer = _scorer(False, Hindsight(vectors, vectors=vectors, after_terminal="drop"))
    np.testing.assert_array_equal(scorer.task_vectors(), [[1.0], [2.0]])
    np.testing.assert_array_equal(scorer.vector_returns(PATH, np.array([[4.0]])), [7.0])
    vectors.function = lambda path, given: (np.repeat(given, STEPS, axis=1), np.array([[0, 1, 0]]))
    np.testing.assert_array_equal(scorer.vector_returns(PATH, np.array([[4.0]])), [6.0])  # ends at step 1
    assert scorer.sample_vectors(2, np.random.default_rng(0)).shape == (2, 1)


def test_what_is_not_there_is_said():
    scorer = _scorer(False, Hindsight(pytest.fail))
    assert not scorer.has_goals() and not scorer.has_vectors() and not scorer.learns_rewards
    with pytest.raises(ValueError) as goals:
        scorer.goal_distances(PATH)
    assert str(goals.value) == NO_GOALS
    with pytest.raises(ValueError) as tasks:
        scorer.task_vectors()
    assert str(tasks.value) == NO_VECTORS
