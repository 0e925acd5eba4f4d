"""What MuJoCo families share: model files, the state of the physics, noise at the start."""

from __future__ import annotations

import numpy as np
import pytest

from env_wrappers import make_env
from env_wrappers.mujoco_env import asset_path, load_model, with_shared_reward

CHEETAH = "envs/mujoco/assets/half_cheetah.xml"


def test_a_model_file_is_found_or_its_package_is_named():
    assert asset_path("gymnasium", CHEETAH).endswith("half_cheetah.xml")
    for package, file in (("gymnasium", "no.xml"), ("no_such_package", CHEETAH)):
        with pytest.raises(FileNotFoundError, match=f"{file} of .*; run: pip install {package}"):
            asset_path(package, file)


def test_a_model_is_compiled_once_and_each_environment_has_its_own_data():
    first, second = make_env("cheetah-vel"), make_env("cheetah-dir")
    assert first.model is second.model is load_model("gymnasium", CHEETAH)
    assert first.data is not second.data
    assert first.dt == pytest.approx(5 * 0.01)


def test_physics_that_are_put_back_go_on_bit_for_bit():
    env, rng = make_env("cheetah-vel", seed=0), np.random.default_rng(0)
    env.reset_task(0)
    for action in rng.uniform(-1, 1, (20, 6)):
        env.step(action)
    state, actions = env.get_physics(), rng.uniform(-1, 1, (10, 6))
    expected = [env.step(action)[0] for action in actions]
    env.set_physics(state)
    np.testing.assert_array_equal(env.get_physics(), state)
    np.testing.assert_array_equal([env.step(action)[0] for action in actions], expected)


def test_starts_are_as_noisy_as_they_say():
    env = make_env("cheetah-vel", seed=0)
    starts, narrow = [], []
    for _ in range(500):
        env.reset_with_noise()
        starts.append(np.concatenate([env.data.qpos, env.data.qvel]))
        env.reset_with_uniform_noise(0.01)
        narrow.append(np.concatenate([env.data.qpos, env.data.qvel]))
    positions, velocities = np.split(np.array(starts), [env.model.nq], axis=1)
    centre = env.model.qpos0
    assert 0.099 < np.abs(positions - centre).max() <= 0.1
    assert positions.std() == pytest.approx(0.2 / 12**0.5, rel=0.05)
    assert velocities.std() == pytest.approx(0.1, rel=0.05)
    assert 0.0099 < np.abs(np.array(narrow) - np.append(centre, np.zeros(env.model.nv))).max() <= 0.01


def test_the_shared_reward_is_added_and_done_ends():
    achieved = np.float32([[7.0, 0.5, 0.0], [7.0, -2.0, 1.0]])
    result = with_shared_reward(np.array([[1.0, 1.0], [3.0, 4.0]]), achieved)
    assert result.rewards.tolist() == [[1.5, -1.0], [3.5, 2.0]]
    assert result.terminals.tolist() == [[False, True], [False, True]]
