"""Side-by-side collection against one environment stepped by hand."""

from __future__ import annotations

import copy
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from env_wrappers import ENVIRONMENTS, HindsightRewards, make_env
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


class _Odd(SparsePointRobot):
    """Rewards and dones of shape (1,); an info of the second task alone, of other shapes
    by task, and one that comes late.
    """

    def step(self, action):
        obs, reward, _, info = super().step(action)
        self.count = 0 if self._first else self.count + 1
        self._first = False
        own = ({"late": 1.0} if self._task_idx else {}) | ({"end": 1} if self.count else {})
        return (
            obs,
            np.array([reward]),
            np.array([False]),
            {**info, "shape": np.zeros(1 + self._task_idx), **own},
        )

    def reset(self):
        self._first = True
        return super().reset()


def test_environments_with_steps_of_their_own_keep_their_own_infos(make_algorithm):
    algorithm = make_algorithm(env=_Odd(n_tasks=7))
    algorithm.agent.clear_z(num_tasks=2)
    first, second = algorithm.sampler.obtain_paths([0, 1])
    assert first["rewards"].shape == first["terminals"].shape == (10, 1)
    assert (first["env_infos"]["shape"].shape, second["env_infos"]["shape"].shape) == ((10, 1), (10, 2))
    assert "late" not in first["env_infos"]
    np.testing.assert_array_equal(second["env_infos"]["late"], np.ones(10))
    assert "end" not in first["env_infos"]  # the infos of a path are those of its first step


class _Lax(SparsePointRobot):
    """A reward function that gives float64 and one terminal for all."""

    def reward_of(self, achieved, task):
        rewards = np.asarray(super().reward_of(achieved, task).rewards, np.float64)
        return HindsightRewards(rewards, np.False_)


def test_rewards_and_terminals_of_any_type_are_cast(make_algorithm):
    algorithm = make_algorithm(env=_Lax(n_tasks=7))
    algorithm.agent.clear_z(num_tasks=2)
    path = algorithm.sampler.obtain_paths([0, 1])[0]
    assert (path["rewards"].dtype, path["terminals"].dtype, path["rewards"].shape) == (
        np.float32,
        bool,
        (10, 1),
    )


def _steps(episodes, t, terminals):
    rows = np.array(episodes.active, float)
    obs = np.stack([rows, np.full(len(rows), t + 1.0)], axis=1)
    return Steps(
        obs,
        (10 * rows + t).astype(np.float32),
        np.array(terminals),
        {"at": rows * 100 + t},
        [{"own": i} for i in episodes.active],
    )


def test_episodes_of_different_lengths_keep_their_own_steps():
    """Three episodes of four steps at most; the second ends after one, the first after
    three, the last is cut off.
    """
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
        np.testing.assert_array_equal(path["env_infos"]["own"], np.full(len(steps), i))
        np.testing.assert_array_equal(path["observations"], np.stack([np.full(len(steps), i), steps], axis=1))
        np.testing.assert_array_equal(path["next_observations"][:-1], path["observations"][1:])
        np.testing.assert_array_equal(path["actions"][:, 0], steps)
        assert path["terminals"][-1, 0] == (i != 2)
        assert path["timeouts"].sum() == path["timeouts"][-1, 0] == (i == 2)
        assert path["context"] == i
        assert all(
            path[key].dtype == np.float32
            for key in ("observations", "next_observations", "actions", "rewards")
        )


def test_paths_own_their_memory():
    """A stored path must not keep those alive that were collected beside it."""
    episodes = Episodes(np.zeros((5, 2)), max_path_length=1)
    episodes.append(
        np.zeros((5, 1)),
        Steps(np.zeros((5, 2)), np.zeros(5, np.float32), np.ones(5, bool), {"at": np.zeros(5)}, [{}] * 5),
    )
    path = episodes.paths(np.zeros((5, 1)))[0]
    arrays = [
        path["env_infos"]["at"],
        *(path[key] for key in ("observations", "next_observations", "actions", "rewards", "terminals")),
    ]
    assert all((array if array.base is None else array.base).size == array.size for array in arrays)


def test_images_are_held_three_times_at_most():
    """As recorded, and as a path's observations and next observations."""
    number, times, size = 4, 50, 2_000
    episodes = Episodes(np.zeros((number, size), np.uint8), times)
    rows = np.zeros(number)
    tracemalloc.start()
    for _ in range(times):
        images = np.ones((number, size), np.uint8)
        episodes.append(
            rows[:, None], Steps(images, rows.astype(np.float32), rows.astype(bool), {}, [{}] * number)
        )
    episodes.paths(rows[:, None])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3.5 * number * times * size


def test_a_terminal_at_the_limit_is_no_time_out():
    env = FourCorners()
    together, _ = _pair(env, [0])
    episodes = Episodes(np.zeros((1, 2)), max_path_length=1)
    steps = Stepper(ThreadPoolExecutor(1), 1).step(together, np.ones((1, 2), np.float32))
    episodes.append(np.ones((1, 2)), steps._replace(terminals=np.array([True])))
    assert not episodes.paths(np.zeros((1, 1)))[0]["timeouts"].any()
