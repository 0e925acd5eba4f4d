"""HER's relabeling among training tasks: known answers, and goals that nobody reached."""

from __future__ import annotations

import numpy as np
import pytest

from env_wrappers import ENVIRONMENTS, make_env
from rlkit_hfr import attach
from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.scoring.scorer import Scorer

RIGHT, TOP, LEFT = 0, 1, 2


def _path(env, points):
    """A path through given points."""
    achieved = np.array(points, np.float32)
    zeros = np.zeros((len(points), 2), np.float32)
    return dict(
        observations=zeros,
        next_observations=achieved,
        actions=zeros,
        rewards=zeros[:, :1],
        terminals=zeros[:, :1],
        agent_infos={},
        env_infos={"achieved": achieved, "sparse_reward": zeros[:, 0]},
    )


@pytest.fixture
def world():
    env = make_env("sparse-point-robot", n_tasks=3)
    env.tasks = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    return env, Scorer(
        None, None, Hindsight(env.compute_rewards, env.goal_distances), [0, 1, 2], np.random.SeedSequence(0)
    )


def _decide(name, scorer, path, source, seed=0):
    return make_relabeler(name).decide([path], [source], scorer, np.random.default_rng(seed))[0].tasks


def test_final_state_goes_where_the_path_ended_and_not_where_it_passed(world):
    env, scorer = world
    assert _decide("final-state", scorer, _path(env, [(0, 0), (1.0, 0), (0.0, 0.95)]), LEFT) == TOP
    # no goal within 0.2 of the end, one at 0.3
    assert _decide("final-state", scorer, _path(env, [(0, 0), (0.9, 0.1), (0.0, 0.7)]), LEFT) == LEFT
    # nearer than none other
    assert _decide("final-state", scorer, _path(env, [(0, 0), (0, 1.0), (0.85, 0.05)]), TOP) == RIGHT


def test_future_state_takes_goals_from_there_on_and_never_from_before(world):
    env, scorer = world
    path = _path(env, [(0, 0), (1.0, 0), (0.5, 0.5), (0.0, 1.0), (0, 1.0)])
    drawn = np.array([_decide("future-state", scorer, path, LEFT, seed) for seed in range(400)])
    assert set(drawn[:, 0]) == {RIGHT, TOP, LEFT}  # LEFT: left alone, when a point without a goal was drawn
    assert set(drawn[:, 1]) == {RIGHT, TOP, LEFT}
    assert set(drawn[:, 2]) == {TOP, LEFT}  # the point (1, 0) is past
    assert set(drawn[:, 3]) == set(drawn[:, 4]) == {TOP}
    shares = [np.mean(drawn[:, 1] == task) for task in (RIGHT, TOP, LEFT)]
    np.testing.assert_allclose(shares, [1 / 4, 2 / 4, 1 / 4], atol=0.08)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_goal_within_its_tolerance_is_a_success_and_others_are_refused(name):
    env = make_env(name, seed=0)
    if env.tolerance is None:
        with pytest.raises(ValueError, match="no goals"):
            env.goal_distances({}, [0])
        return
    rng = np.random.default_rng(0)
    env.reset_task(1)
    infos = [env.step(rng.uniform(-1, 1, env.action_space.shape))[3] for _ in range(30)]
    near = env.goal_distances({"env_infos": infos}, [1])[0] <= 1.0
    np.testing.assert_array_equal(near, [info["success"] for info in infos])


def test_a_run_relabels_reached_goals_and_logs_more_reward_stored_than_collected(make_algorithm):
    algorithm = make_algorithm("sparse-point-robot", sparse_rewards=True, num_steps_prior=60)
    goals = algorithm.env.tasks
    goals[:] = 0.15 * goals  # within reach of the short episodes
    rows = []
    algorithm.on_epoch_end = rows.append
    attach(algorithm, "final-state", relabel_fraction=1.0, seed=0)
    algorithm.train()
    assert 0.0 < rows[-1]["relabel/share that changed task"] < 1.0
    assert rows[-1]["relabel/rewarded share as stored"] > rows[-1]["relabel/rewarded share as collected"]
