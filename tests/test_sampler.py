"""Side-by-side collection against one environment stepped by hand."""
from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from env_wrappers import ENVIRONMENTS, make_env
from env_wrappers.point import FourCorners, SparsePointRobot
from rlkit_hfr.pearl.episodes import Episodes
from rlkit_hfr.pearl.stepping import Stepper, Steps


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
            steps = Stepper(pool, 2).step(together, tasks, actions)
            for i, own in enumerate(alone):
                obs, reward, terminal, info = own.step(actions[i])
                np.testing.assert_array_equal(steps.next_obs[i], obs)
                assert (steps.rewards[i], steps.terminals[i]) == (np.float32(reward), terminal)
                assert steps.infos.keys() == info.keys()
                for key, value in info.items():
                    np.testing.assert_array_equal(steps.infos[key][i], np.asarray(value, steps.infos[key].dtype))


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


@pytest.mark.parametrize("env", [_OwnStep(n_tasks=4), _Wrapper(SparsePointRobot(n_tasks=4))], ids=["override", "wrapper"])
def test_a_step_of_ones_own_is_taken(env):
    together, _ = _pair(env, [0, 1])
    steps = Stepper(ThreadPoolExecutor(1), 1).step(together, [0, 1], np.zeros((2, 2), np.float32))
    assert (steps.rewards > 50.0).all()
    np.testing.assert_array_equal(steps.infos["extra"], [7, 7])


def test_infos_that_some_environments_lack_are_left_out():
    class Late(SparsePointRobot):
        def step(self, action):
            obs, reward, terminal, info = super().step(action)
            return obs, reward, terminal, {"achieved": info["achieved"], **({"late": 1.0} if self._task_idx else {})}

    together, _ = _pair(Late(n_tasks=4), [1, 0])
    assert set(Stepper(ThreadPoolExecutor(1), 1).step(together, [1, 0], np.zeros((2, 2), np.float32)).infos) == {"achieved"}


def _steps(episodes, t, terminals):
    rows = np.array(episodes.active, float)
    obs = np.stack([rows, np.full(len(rows), t + 1.0)], axis=1)
    return Steps(obs, (10 * rows + t).astype(np.float32), np.array(terminals), {"at": rows * 100 + t})


def test_episodes_of_different_lengths_keep_their_own_steps():
    """Three episodes of four steps at most; the second ends after one, the first after three, the last is cut off."""
    episodes = Episodes(np.stack([np.arange(3.0), np.zeros(3)], axis=1), max_path_length=4)
    for t, terminals in enumerate([[False, True, False], [False, False], [True, False], [False]]):
        episodes.append(np.full((len(terminals), 1), t), _steps(episodes, t, terminals))
    assert episodes.active == []
    paths = episodes.paths(np.arange(3))
    assert [len(path["rewards"]) for path in paths] == [3, 1, 4]
    for i, path in enumerate(paths):
        steps = np.arange(len(path["rewards"]))
        np.testing.assert_array_equal(path["rewards"][:, 0], 10 * i + steps)
        np.testing.assert_array_equal(path["env_infos"]["at"], 100 * i + steps)
        np.testing.assert_array_equal(path["observations"], np.stack([np.full(len(steps), i), steps], axis=1))
        np.testing.assert_array_equal(path["next_observations"][:-1], path["observations"][1:])
        np.testing.assert_array_equal(path["actions"][:, 0], steps)
        assert path["terminals"][-1, 0] == (i != 2)
        assert path["timeouts"].sum() == path["timeouts"][-1, 0] == (i == 2)
        assert path["context"] == i
        assert all(path[key].dtype == np.float32 for key in ("observations", "next_observations", "actions", "rewards"))


def test_paths_own_their_memory():
    """A stored path must not keep those alive that were collected beside it."""
    episodes = Episodes(np.zeros((5, 2)), max_path_length=1)
    episodes.append(np.zeros((5, 1)), Steps(np.zeros((5, 2)), np.zeros(5, np.float32), np.ones(5, bool), {"at": np.zeros(5)}))
    path = episodes.paths(np.zeros((5, 1)))[0]
    assert all(path[key].base is None for key in ("observations", "next_observations", "actions", "rewards", "terminals"))
    assert path["env_infos"]["at"].base is None


def test_a_terminal_at_the_limit_is_no_time_out():
    env = FourCorners()
    together, _ = _pair(env, [0])
    episodes = Episodes(np.zeros((1, 2)), max_path_length=1)
    steps = Stepper(ThreadPoolExecutor(1), 1).step(together, [0], np.ones((1, 2), np.float32))
    episodes.append(np.ones((1, 2)), steps._replace(terminals=np.array([True])))
    assert not episodes.paths(np.zeros((1, 1)))[0]["timeouts"].any()
