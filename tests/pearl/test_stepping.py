"""A step of several environments against each of them stepped by hand."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from env_wrappers import ENVIRONMENTS, make_env
from env_wrappers.point import SparsePointRobot
from rlkit_hfr.pearl.stepping import Stepper


def _pair(env, tasks):
    """Environments side by side, and twins of them to be stepped by hand."""
    sides = []
    for _ in range(2):
        envs = [copy.deepcopy(env) for _ in tasks]
        for i, (own, task) in enumerate(zip(envs, tasks, strict=True)):
            own.seed(i)
            own.reset_task(task)
            own.reset()
        sides.append(envs)
    return sides


@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_a_step_of_many_environments_is_the_step_of_each(name):
    """Observations, rewards, terminals and infos bit for bit, though the rewards of all are one call."""
    env, tasks = make_env(name, seed=0), [1, 0, 1]
    together, alone = _pair(env, tasks)
    rng = np.random.default_rng(0)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            actions = rng.uniform(-1.5, 1.5, (3, *env.action_space.shape)).astype(np.float32)
            steps = Stepper(pool, 2).step(together, actions)
            assert (steps.rewards.dtype, steps.terminals.dtype) == (np.float32, bool)
            for i, own in enumerate(alone):
                obs, reward, terminal, info = own.step(actions[i])
                np.testing.assert_array_equal(steps.next_obs[i], obs)
                assert (steps.rewards[i], steps.terminals[i]) == (np.float32(reward), terminal)
                assert steps.figures.keys() == info.keys()
                for key, value in info.items():
                    np.testing.assert_array_equal(steps.figures[key][i], value)
                    assert steps.figures[key].dtype == np.asarray(value).dtype


class _OwnStep(SparsePointRobot):
    def step(self, action):
        obs, reward, terminal, info = super().step(action)
        return obs, reward + 100.0, terminal, {**info, "extra": 7}


class _Wrapper:
    """Hands everything through, and adds to what a step gives."""

    def __init__(self, env):
        self._env = env

    def __getattr__(self, name):
        if name == "_env":
            raise AttributeError(name)
        return getattr(self._env, name)

    def step(self, action):
        obs, reward, terminal, info = self._env.step(action)
        return obs, reward + 100.0, terminal, {**info, "extra": 7}


class _OwnGoal(SparsePointRobot):
    """Its goals are no arrays, and cannot be joined."""

    @property
    def _goal(self):
        return {"at": self.tasks[self._task_idx] + 100.0}

    def reward_of(self, achieved, task):
        return super().reward_of(achieved, task["at"])

    def goal_distance_of(self, achieved, task):
        return super().goal_distance_of(achieved, task["at"])


def _patched(env):
    env.step = _Wrapper(copy.deepcopy(env)).step
    return env


@pytest.mark.parametrize(
    "make",
    [
        lambda: _OwnStep(n_tasks=4),
        lambda: _Wrapper(SparsePointRobot(n_tasks=4)),
        lambda: _patched(SparsePointRobot(n_tasks=4)),
    ],
    ids=["override", "wrapper", "patch"],
)
def test_a_step_of_ones_own_is_taken(make):
    envs = [make(), make()]
    steps = Stepper(ThreadPoolExecutor(1), 1).step(envs, np.zeros((2, 2), np.float32))
    assert (steps.rewards > 50.0).all()
    assert [info["extra"] for info in steps.infos] == [7, 7]


def test_a_goal_of_ones_own_is_taken():
    envs = [_OwnGoal(n_tasks=4) for _ in range(2)]
    steps = Stepper(ThreadPoolExecutor(1), 1).step(envs, np.zeros((2, 2), np.float32))
    assert (steps.rewards < -100.0).all()


class _Remapped(SparsePointRobot):
    def reset_task(self, idx):
        self.action_scale = 0.1 * (1 + idx)
        return super().reset_task(3 - int(idx))


def test_each_environment_has_its_own_task_and_scale():
    together, alone = _pair(_Remapped(n_tasks=4), [0, 2])
    steps = Stepper(ThreadPoolExecutor(1), 1).step(together, np.ones((2, 2), np.float32))
    expected = [own.step(np.ones(2, np.float32)) for own in alone]
    np.testing.assert_array_equal(
        steps.rewards, np.array([reward for _, reward, _, _ in expected], np.float32)
    )
    np.testing.assert_array_equal(steps.next_obs, [obs for obs, _, _, _ in expected])


class _Ends:
    """A step that ends the episode, and says how."""

    def __init__(self, done, info):
        self._done, self._info = done, info

    def step(self, action):
        return np.zeros(2), 0.0, self._done, self._info


def test_an_episode_that_is_cut_short_has_no_terminal():
    """As gym's TimeLimit and our adapter of Gymnasium's environments tell it."""
    ways = [
        (True, {}),
        (True, {"TimeLimit.truncated": False}),
        (True, {"TimeLimit.truncated": True}),
        (False, {"truncated": True}),
        (True, {"truncated": False}),
        (False, {}),
        (True, {"truncated": True}),  # it reached its end in the last step that it had
    ]
    with ThreadPoolExecutor(1) as pool:
        steps = Stepper(pool, 1).step([_Ends(*way) for way in ways], np.zeros((7, 1)))
    assert steps.terminals.tolist() == [True, True, False, False, True, False, True]
    assert steps.truncated.tolist() == [False, False, True, True, False, False, False]
