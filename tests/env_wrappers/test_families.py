"""What holds for every task family: the round-trip law, purity, reproducible tasks and copies."""

import copy
import pickle

import numpy as np
import pytest
from episodes import record

from env_wrappers import ENVIRONMENTS, make_env


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_round_trip_is_exact(name):
    env, rng = make_env(name, seed=0), np.random.default_rng(0)
    tasks = list(env.get_all_task_idx())
    for episode in range(20):
        own = tasks[episode * 7 % len(tasks)]
        path = record(env, own, rng)
        result = env.compute_rewards(path, tasks)
        assert result.rewards.dtype == np.float32
        assert result.terminals.dtype == bool
        assert result.rewards.shape == result.terminals.shape == (len(tasks), 40)
        np.testing.assert_array_equal(result.rewards[tasks.index(own)], path["rewards"].astype(np.float32))
        np.testing.assert_array_equal(result.terminals[tasks.index(own)], path["terminals"])
        if "sparse_reward" in path["env_infos"][0]:
            np.testing.assert_array_equal(
                result.sparse_rewards[tasks.index(own)], [i["sparse_reward"] for i in path["env_infos"]]
            )


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_relabeling_equals_stepping_the_other_task(name):
    """The same actions under another task give what relabeling says, where the physics
    does not depend on the task.
    """
    if name.endswith(("rand-params", "joints", "leg")):
        pytest.skip("its tasks differ in their dynamics")
    first, second = make_env(name, seed=5), make_env(name, seed=5)
    path = record(first, 0, np.random.default_rng(1))
    replay = iter(path["actions"])
    task = min(3, len(first.tasks) - 1)
    other = record(second, task, None, policy=lambda obs: next(replay))
    np.testing.assert_array_equal(
        first.compute_rewards(path, [task]).rewards[0], other["rewards"].astype(np.float32)
    )
    # random actions find no sparse reward in so few steps
    if not name.startswith(("sawyer", "four", "visual")) and "sparse" not in name:
        assert not np.array_equal(path["rewards"], other["rewards"])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_compute_rewards_is_pure_and_takes_both_info_formats(name):
    env = make_env(name, seed=0)
    path = record(env, 1, np.random.default_rng(2))
    env.reset_task(1)
    twin = copy.deepcopy(env)
    stacked = {**path, "env_infos": {"achieved": np.stack([i["achieved"] for i in path["env_infos"]])}}
    a, b = env.compute_rewards(path, [0, 1]), env.compute_rewards(stacked, np.array([0, 1]))
    np.testing.assert_array_equal(a.rewards, b.rewards)
    action = np.full(env.action_space.shape, 0.3)
    np.testing.assert_array_equal(env.step(action)[0], twin.step(action)[0])
    assert env._task_idx == 1


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_tasks_and_resets_are_reproducible_and_global_generators_untouched(name):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    a, b, c = make_env(name, seed=1), make_env(name, seed=1), make_env(name, seed=2)
    np.testing.assert_array_equal(a.tasks, b.tasks)
    np.testing.assert_array_equal(a.tasks, c.tasks)
    np.testing.assert_array_equal(a.reset_task(0), b.reset_task(0))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_copies_and_pickles_go_on_alike(name):
    env, rng = make_env(name, seed=3), np.random.default_rng(3)
    record(env, 1, rng, length=7)
    twins = [copy.deepcopy(env), pickle.loads(pickle.dumps(env))]
    for _ in range(5):
        action = rng.uniform(-1, 1, env.action_space.shape)
        obs = env.step(action)[0]
        for twin in twins:
            np.testing.assert_array_equal(obs, twin.step(action)[0])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_observation_and_action_sizes(name):
    sizes = {
        "cheetah-highdim": (18, 6),
        **dict.fromkeys(("ant-dir", "ant-negated-joints", "ant-broken-leg"), (27, 8)),
        "sawyer": (6, 4),
        "cheetah": (20, 6),
        "ant": (113, 8),
        "humanoid": (376, 17),
        "visual": (512, 2),
        "hopper": (11, 3),
        "walker": (17, 6),
    }
    env = make_env(name)
    expected = sizes.get(name, sizes.get(name.split("-")[0], (2, 2)))
    assert (env.observation_space.shape[0], env.action_space.shape[0]) == expected
    assert env.reset_task(0).shape == (expected[0],)


def test_direction_families_formulas():
    humanoid, ant, cheetah = (
        make_env("humanoid-dir", n_tasks=3),
        make_env("ant-dir", n_tasks=3),
        make_env("cheetah-dir"),
    )
    features = {
        "env_infos": {"achieved": np.array([[2.0, -1.0, 4.5, 0.0], [0.0, 0.0, 4.0, 1.0]], np.float32)}
    }
    for env, weight in ((humanoid, 0.25), (ant, 1.0)):
        angle = env.tasks[2, 0]
        result = env.compute_rewards(features, [2])
        np.testing.assert_allclose(
            result.rewards[0], [weight * (2 * np.cos(angle) - np.sin(angle)) + 4.5, 4.0], rtol=1e-6
        )
        assert result.terminals[0].tolist() == [False, True]
    result = cheetah.compute_rewards({"env_infos": {"achieved": np.array([[1.5, 0.2]], np.float32)}}, [0, 1])
    np.testing.assert_allclose(result.rewards[:, 0], [1.3, -1.7], rtol=1e-6)
