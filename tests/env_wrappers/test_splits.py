"""Training and test tasks from different parts of a family."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from env_wrappers import make_env
from env_wrappers.point import SparsePointRobot
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.rewards.resolve import resolve_hindsight


@pytest.mark.parametrize(
    ("split", "train", "test"),
    [("medium", (0, 2.5), (2.5, 3)), ("hard", (0, 1.5), (2.5, 3)), ([0.5, 1, 2, 2.25], (0.5, 1), (2, 2.25))],
)
def test_tasks_lie_in_their_intervals(split, train, test):
    env = make_env("cheetah-vel", split=split, n_tasks=30, n_test_tasks=8)
    speeds = env.tasks[:, 0]
    assert len(speeds) == 30
    for part, (low, high) in ((speeds[:22], train), (speeds[22:], test)):
        assert ((low <= part) & (part <= high)).all()
        assert len(np.unique(part)) == len(part)
        assert np.ptp(part) > 0.5 * (high - low)
    again = make_env("cheetah-vel", split=split, n_tasks=30, n_test_tasks=8)
    np.testing.assert_array_equal(env.tasks, again.tasks)
    other = make_env("cheetah-vel", split=split, n_tasks=30, n_test_tasks=8, task_seed=9)
    assert not np.array_equal(env.tasks, other.tasks)


def test_the_papers_test_speeds_are_at_half_metres_a_second():
    speeds = make_env("cheetah-vel", split="paper", n_tasks=15, n_test_tasks=5).tasks[:, 0]
    assert speeds[:10].max() <= 1.0
    assert speeds[10:].tolist() == [0.5, 1.0, 1.5, 2.0, 2.5]


def test_goals_on_a_circle_are_split_by_their_angle():
    goals = make_env("sparse-point-robot", split=[0, 1.0, 2.0, 3.2], n_tasks=10, n_test_tasks=4).tasks
    angles = np.arctan2(goals[:, 1], goals[:, 0])
    assert angles[:6].max() <= 1.0
    assert angles[6:].min() >= 2.0


def test_one_task_in_five_is_for_testing_unless_it_is_said():
    speeds = make_env("cheetah-vel", split="hard", n_tasks=20).tasks[:, 0]
    assert (speeds[:16] <= 1.5).all()
    assert (speeds[16:] >= 2.5).all()


def test_dynamics_stay_with_their_tasks_in_copies():
    env = make_env("cheetah-vel-sparse-rand-params", split="hard", n_tasks=12, n_test_tasks=4)
    everything = make_env("cheetah-vel-sparse-rand-params", n_tasks=env._drawn[0])
    for other in (env, copy.deepcopy(env)):
        for task in (0, 11):
            other.reset_task(task)
            (number,) = np.flatnonzero(everything.tasks[:, 0] == other.tasks[task, 0])
            everything.reset_task(int(number))
            np.testing.assert_array_equal(other.model.body_mass, everything.model.body_mass)


@pytest.mark.parametrize(
    ("name", "split", "train"),
    [
        ("cheetah-vel", "hard", (0.0, 1.5)),
        ("cheetah-vel", "paper", (0.0, 1.0)),
        ("point-robot", [-1, 0, 0.3, 1], (-1.0, 0.0)),
        ("sparse-point-robot", [2.0, 2.5, 0, 1], (2.0, 2.5)),
    ],
)
def test_new_tasks_are_for_training_alone(name, split, train):
    """Those that `virtual` takes for candidates, of a copy as well, and spread over the interval."""
    env = make_env(name, split=split, n_tasks=10)
    drawn = copy.deepcopy(env).sample_tasks(500, np.random.default_rng(0))
    assert drawn.shape == (500, env.tasks.shape[1])
    where = env.split_coordinate(drawn)
    low, high = train
    assert ((low <= where) & (where <= high)).all()
    assert where.mean() == pytest.approx((low + high) / 2, abs=0.05 * (high - low))
    assert np.ptp(where) > 0.95 * (high - low)
    seen = resolve_hindsight(env, range(8), None, 0).vectors.sample(500, np.random.default_rng(0))
    np.testing.assert_array_equal(seen, drawn)
    whole = make_env(name, n_tasks=10).sample_tasks(500, np.random.default_rng(0))
    assert env.split_coordinate(whole).max() > high


def test_a_family_that_draws_nothing_in_the_interval_says_so():
    class Elsewhere(SparsePointRobot):
        def sample_tasks(self, number, rng):
            return np.tile([0.0, -1.0], (number, 1))

    env = make_env(Elsewhere, split=[0, 1, 2, 3], n_tasks=4)
    with pytest.raises(ValueError, match=r"gave 0 of 3 tasks .*\(0\.0, 1\.0\); widen it"):
        env.sample_tasks(3, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (dict(split="harder"), "unknown split 'harder'; known: paper, medium, hard, or four numbers"),
        (dict(split=[0, 1, 2]), r"split must be a name or .* got \[0, 1, 2\]"),
        (dict(split=[1, 0, 2, 3]), "must begin below their ends"),
        (dict(split=[0, 1, 5, 6]), "104 training and 26 test tasks of CheetahVel, got 104 and 0"),
        (dict(split="hard", n_test_tasks=130), "n_test_tasks must be from 1 to n_tasks - 1 = 129, got 130"),
        (dict(n_test_tasks=3), "n_test_tasks=3 is for a split, got none"),
    ],
)
def test_what_can_not_be_split_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        make_env("cheetah-vel", **params)


def test_a_runs_test_tasks_are_those_of_the_split():
    settings = ["split=hard", "n_train_tasks=9", "n_eval_tasks=3"]
    params = build_variant("cheetah-vel", "none", "quick", None, settings, 0)["env_params"]
    assert (params["n_tasks"], params["n_test_tasks"]) == (12, 3)
    joints = build_variant("cheetah-negated-joints", "none", "paper", None, [], 0)["env_params"]
    assert (joints["n_tasks"], joints["n_test_tasks"]) == (20, 10)
    assert "n_test_tasks" not in build_variant("cheetah-vel", "none", "quick", None, [], 0)["env_params"]
    with pytest.raises(ValueError, match="n_test_tasks must be n_eval_tasks = 3"):
        build_variant("cheetah-vel", "none", "quick", None, [*settings, "n_test_tasks=2"], 0)
