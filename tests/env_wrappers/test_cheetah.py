"""Half-Cheetah: gymnasium's physics, rewards by formula, the scales of the linear family."""

import mujoco
import numpy as np

from env_wrappers import make_env


def test_cheetah_reward_formulas():
    dense, sparse = make_env("cheetah-vel", n_tasks=3), make_env("cheetah-vel-sparse", n_tasks=3)
    goal = sparse.tasks[0, 0]
    features = np.array([[goal + 0.25, 0.1], [goal + 0.35, 0.1]], np.float32)
    path = {"env_infos": {"achieved": features}}
    np.testing.assert_allclose(
        sparse.compute_rewards(path, [0]).rewards[0], [2 - 0.25 - 0.1, -0.1], atol=1e-5
    )
    np.testing.assert_allclose(
        dense.compute_rewards(path, [2]).rewards[0],
        -np.abs(features[:, 0] - dense.tasks[2, 0]) - 0.1,
        atol=1e-5,
    )


def test_cheetah_states_equal_gymnasium():
    from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv

    ours, theirs = make_env("cheetah-vel", seed=0), HalfCheetahEnv()
    ours.reset_task(0), theirs.reset(seed=0)
    mujoco.mj_setState(theirs.model, theirs.data, ours.get_physics(), mujoco.mjtState.mjSTATE_INTEGRATION)
    rng = np.random.default_rng(0)
    for _ in range(100):
        action = rng.uniform(-1, 1, 6)
        obs = ours.step(action)[0]
        np.testing.assert_array_equal(obs[:17], theirs.step(action)[0])


def test_cheetah_highdim_is_linear_in_a_normalised_state():
    env = make_env("cheetah-highdim", n_tasks=3, seed=0)
    rng, states = np.random.default_rng(0), []
    for _ in range(60):
        env.reset_task(1)
        states += [env.step(rng.uniform(-0.8, 0.8, 6)) for _ in range(50)]
    obs, rewards = np.stack([s[0] for s in states]), np.array([s[1] for s in states])
    np.testing.assert_allclose(obs.std(axis=0) / env.state_std, 1.0, atol=0.25)
    cost = np.array([s[3]["achieved"][18] for s in states])
    expected = ((obs - env.state_mean) / env.state_std) @ env.tasks[1] - cost
    np.testing.assert_allclose(rewards, expected, rtol=1e-4, atol=1e-4)
