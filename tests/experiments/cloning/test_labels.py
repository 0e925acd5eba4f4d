"""Labels whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from env_wrappers import make_env
from rlkit_hfr.experiments.cloning.demonstrations import Demonstrations, scripted
from rlkit_hfr.experiments.cloning.labels import label

RIGHT, TOP, LEFT = 0, 1, 2
TASKS = [RIGHT, TOP, LEFT]


@pytest.fixture
def env():
    env = make_env("sparse-point-robot", n_tasks=3)
    env.tasks = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    return env


def _shown(env, *goals):
    """A noiseless demonstration of each goal, a point that need not be a task's."""
    tasks = env.tasks
    env.tasks = np.array(goals, np.float64)
    shown = [scripted(env, [i], 1, 20, 0.0, 0).paths[0] for i in range(len(goals))]
    env.tasks = tasks
    return Demonstrations(shown, np.arange(len(goals)), {}, None)


def _labels(env, shown, name, seed=0, **options):
    return [each.task for each in label(shown, env, TASKS, name, options, True, seed)]


@pytest.mark.parametrize("name", ["final-state", "htr", "hipi-trajectory", "return"])
def test_a_demonstration_is_labelled_with_the_task_that_it_solves(env, name):
    shown = _shown(env, (0.0, 1.0), (1.0, 0.0), (-0.95, 0.1), (1.0, 0.0))
    assert _labels(env, shown, name) == [TOP, RIGHT, LEFT, RIGHT]


def test_what_solves_nothing_gets_a_random_label_and_never_the_true_one_by_right(env):
    shown = _shown(env, (0.4, 0.4))
    for name in ("none", "final-state", "htr"):
        given = [_labels(env, shown, name, seed)[0] for seed in range(60)]
        assert set(given) == set(TASKS)
    assert _labels(env, shown, "true") == [RIGHT]  # the first of the goals shown
    assert _labels(env, shown, "agnostic") == [None]


def test_transitions_may_be_labelled_one_by_one(env):
    shown = _shown(env, (0.0, 1.0))
    labelled = label(shown, env, TASKS, "future-state", {}, True, 3)
    steps = sum(each.steps.astype(int) for each in labelled)
    np.testing.assert_array_equal(steps, 1)  # each step has one label
    assert {each.task for each in labelled} >= {TOP}


def test_a_bias_on_one_task_takes_every_label_unless_log_z_takes_it_off(env):
    """HIPI figure 8."""
    shown = _shown(env, *[(np.cos(a), np.sin(a)) for a in np.linspace(0.0, np.pi, 12)])
    plain = env.compute_rewards

    def biased(path, tasks):
        rewards = plain(path, tasks)
        rewards.sparse_rewards[np.asarray(tasks) == LEFT] += 3.0
        return rewards

    expected = _labels(env, shown, "hipi-trajectory")
    env.compute_rewards = biased
    assert _labels(env, shown, "hipi-trajectory") == expected
    assert len(set(expected)) == 3
    assert set(_labels(env, shown, "hipi-trajectory", normaliser="off")) == {LEFT}
    assert set(_labels(env, shown, "return")) == {LEFT}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hfr", {}),
        ("advantage", {}),
        ("cds", {}),
        ("hipi", {"normaliser": "trajectories"}),
        ("hipi-trajectory", {"normaliser": "trajectories"}),
    ],
)
def test_labellers_that_ask_for_an_agent_are_refused_without_one(env, name, options):
    with pytest.raises(ValueError, match=f"'{name}' asks for the networks of an agent.*--run"):
        label(_shown(env, (0.0, 1.0)), env, TASKS, name, options, True, 0)


def test_air_without_an_agent_works_where_ties_are_drawn_and_is_refused_elsewhere(env):
    shown = _shown(env, (0.0, 1.0))
    assert set(_labels(env, shown, "air")) <= set(TASKS)
    with pytest.raises(ValueError, match="'air' asks for the networks of an agent"):
        label(shown, env, TASKS, "air", {}, False, 0)


def test_labellers_by_goals_are_refused_without_goals(env):
    with pytest.raises(ValueError, match="needs goals"):
        label(_shown(env, (0.0, 1.0)), make_env("point-robot", n_tasks=3), TASKS, "htr", {}, False, 0)
