"""HTR: a path goes to a task that it solved, by itself or together with others of its visit."""

from __future__ import annotations

import numpy as np
import pytest

from env_wrappers import make_env
from rlkit_hfr import attach
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.resolve import resolve_hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.scoring.scorer import Scorer

RIGHT, TOP, LEFT = 0, 1, 2


class SparseContext:
    sparse_rewards, layout = True, ContextLayout(2, 2)


def _path(points):
    achieved = np.array(points, np.float32)
    zeros = np.zeros((len(points), 2), np.float32)
    infos = {"achieved": achieved, "sparse_reward": zeros[:, 0]}
    return dict(observations=zeros, next_observations=achieved, actions=zeros, rewards=zeros[:, :1],
                terminals=zeros[:, :1], agent_infos={}, env_infos=infos)  # fmt: skip


@pytest.fixture
def scorer():
    env = make_env("sparse-point-robot", n_tasks=3)
    env.tasks = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    hindsight = Hindsight(env.compute_rewards, env.goal_distances)
    return Scorer(SparseContext(), None, hindsight, [0, 1, 2], np.random.SeedSequence(0))


BOTH = _path([(0, 0), (0.95, 0.0), (0.3, 0.4), (0.0, 0.95)])  # at RIGHT, later at TOP
ONE = _path([(0, 0), (0.0, 1.0)])
NONE = _path([(0, 0), (0.5, 0.5)])


def test_uniform_over_the_tasks_that_reward_the_path_and_nothing_else(scorer):
    relabeler, rng = make_relabeler("htr"), np.random.default_rng(0)
    decisions = relabeler.decide([BOTH, ONE, NONE] * 1000, [LEFT] * 3000, scorer, rng)
    np.testing.assert_array_equal([d.probs for d in decisions[:3]], [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(decisions[0].utilities, [0.25, 0.25, 0.0])
    drawn = np.array([d.tasks for d in decisions]).reshape(1000, 3)
    assert np.mean(drawn[:, 0] == RIGHT) == pytest.approx(0.5, abs=0.05)
    assert set(drawn[:, 0]) == {RIGHT, TOP}
    assert (drawn[:, 1] == TOP).all()
    assert (drawn[:, 2] == LEFT).all()  # earns nothing anywhere: it stays


def test_the_threshold_is_of_the_contexts_rewards(scorer):
    """The sparse reward of BOTH is at most 0.95 wherever it is rewarded."""
    for threshold, expected in ((0.0, [0.5, 0.5, 0]), (0.94, [0.5, 0.5, 0]), (0.96, [0, 0, 1])):
        (decision,) = make_relabeler("htr", threshold=threshold).decide(
            [BOTH], [LEFT], scorer, np.random.default_rng(0)
        )
        np.testing.assert_array_equal(decision.probs, expected)


def test_where_paths_end_with_their_new_tasks_episode_later_steps_earn_nothing(scorer):
    """An episode of TOP would have ended before BOTH comes there."""

    def rewards(path, tasks):
        earned = scorer.hindsight_rewards(path, tasks)
        terminals = np.zeros(earned.rewards.shape, bool)
        terminals[list(tasks).index(TOP), 2] = True
        return TaskRewards(earned.rewards, terminals, earned.sparse_rewards)

    goal_distances = scorer.goal_distances
    for after_terminal, probs in (("keep", [0.5, 0.5, 0.0]), ("drop", [1.0, 0.0, 0.0])):
        ended = Scorer(
            SparseContext(), None, Hindsight(rewards, goal_distances, after_terminal=after_terminal),
            [0, 1, 2], np.random.SeedSequence(0),
        )  # fmt: skip
        for options in ({}, {"threshold": 0.0}):
            (decision,) = make_relabeler("htr", **options).decide(
                [BOTH], [LEFT], ended, np.random.default_rng(0)
            )
            np.testing.assert_array_equal(decision.probs, probs)


def test_where_a_step_pays_minus_one_and_success_zero():
    """A Sawyer arm: no reward is positive, and yet a path solves what it is near to."""
    env = make_env("sawyer-push", n_tasks=3, seed=0)
    env.tasks = np.array([[0.0, 0.9], [0.0, 0.85], [0.5, 0.9]])
    points = np.array([[0.0, 0.7], [0.0, 0.88]], np.float32)
    path = {**_path(points), "env_infos": {"achieved": points}}
    assert (env.compute_rewards(path, [0, 1, 2]).rewards <= 0.0).all()

    class DenseContext(SparseContext):
        sparse_rewards = False

    scorer = Scorer(
        DenseContext(), None, resolve_hindsight(env, [0, 1, 2], None, 0), [0, 1, 2], np.random.SeedSequence(0)
    )
    for options in ({}, {"threshold": -0.5}):
        (decision,) = make_relabeler("htr", **options).decide([path], [2], scorer, np.random.default_rng(0))
        np.testing.assert_array_equal(decision.probs, [0.5, 0.5, 0.0])


def test_clustered_paths_of_a_visit_share_as_few_tasks_as_can_be(scorer):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        relabeler = make_relabeler("htr", episodes="clustered")
        first = [d.tasks for d in relabeler.decide([BOTH, ONE, NONE, BOTH], [LEFT] * 4, scorer, rng)]
        assert first == [TOP, TOP, LEFT, TOP]  # TOP rewards three of them, RIGHT two
        later = [d.tasks for d in relabeler.decide([BOTH] * 3, [LEFT] * 3, scorer, rng)]
        assert later == [TOP] * 3  # the same visit goes on
    chosen = set()
    for seed in range(40):
        relabeler.begin_iteration(seed)  # another visit draws anew
        tasks = {
            d.tasks for d in relabeler.decide([BOTH] * 5, [LEFT] * 5, scorer, np.random.default_rng(seed))
        }
        assert len(tasks) == 1
        chosen |= tasks
    assert chosen == {RIGHT, TOP}


def test_a_visit_that_no_one_task_rewards_whole_is_shared_by_several(scorer):
    """RIGHT rewards two paths of the five, TOP one, and LEFT, their own, the two that reached nothing."""
    right = _path([(0, 0), (1.0, 0.0)])
    for seed in range(5):
        relabeler = make_relabeler("htr", episodes="clustered")
        visit = [NONE, ONE, right, right, NONE]
        decisions = relabeler.decide(visit, [LEFT] * 5, scorer, np.random.default_rng(seed))
        assert [d.tasks for d in decisions] == [LEFT, TOP, RIGHT, RIGHT, LEFT]


def test_visits_of_different_tasks_are_clustered_apart_and_remembered_by_a_checkpoint(scorer):
    relabeler, rng = make_relabeler("htr", episodes="clustered"), np.random.default_rng(0)
    relabeler.decide([ONE], [RIGHT], scorer, rng)
    restored = make_relabeler("htr", episodes="clustered")
    restored.load_state_dict(relabeler.state_dict())
    seen = set()
    for seed in range(30):
        again = make_relabeler("htr", episodes="clustered")
        again.load_state_dict(restored.state_dict())
        rng = np.random.default_rng(seed)
        assert again.decide([BOTH], [RIGHT], scorer, rng)[0].tasks == TOP
        seen.add(again.decide([BOTH], [LEFT], scorer, rng)[0].tasks)
    assert seen == {RIGHT, TOP}


def test_without_goals_a_threshold_is_asked_for(make_algorithm):
    for name in ("htr", "htr-sampling"):
        with pytest.raises(ValueError, match="needs goals.*or set threshold"):
            attach(make_algorithm("point-robot"), name)
    algorithm = make_algorithm("point-robot", num_iterations=1)
    rows = []
    algorithm.on_epoch_end = rows.append
    attach(algorithm, "htr", threshold=-0.7, relabel_fraction=1.0, seed=0)
    algorithm.train()
    assert 0.0 < rows[0]["relabel/share that changed task"] < 1.0
    for bad in ({"threshold": "high"}, {"threshold": float("nan")}, {"episodes": "all"}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            make_relabeler("htr", **bad)
