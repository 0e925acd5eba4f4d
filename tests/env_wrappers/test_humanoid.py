"""The humanoid: gymnasium's physics, and where it falls."""

import mujoco
import numpy as np

from env_wrappers import make_env


def test_humanoid_states_equal_gymnasium():
    from gymnasium.envs.mujoco.humanoid_v5 import HumanoidEnv

    ours, theirs = make_env("humanoid-dir", seed=0), HumanoidEnv()
    ours.reset_task(0), theirs.reset(seed=0)
    mujoco.mj_setState(theirs.model, theirs.data, ours.get_physics(), mujoco.mjtState.mjSTATE_INTEGRATION)
    rng = np.random.default_rng(0)
    for _ in range(30):
        action = rng.uniform(-1, 1, 17)
        obs, _, _, info = ours.step(action)
        theirs.step(0.4 * action)
        np.testing.assert_array_equal(obs[:45], np.concatenate([theirs.data.qpos[2:], theirs.data.qvel]))
        np.testing.assert_array_equal(
            obs[45:],
            np.concatenate(
                [
                    getattr(theirs.data, name).ravel()
                    for name in ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")
                ]
            ),
        )


def test_humanoid_ends_where_it_falls_and_is_paid_by_its_centre_of_mass():
    env = make_env("humanoid-dir", n_tasks=3, seed=0)
    env.reset_task(1)
    mass = env.model.body_mass
    for _ in range(100):
        before = (mass[:, None] * env.data.xipos).sum(0) / mass.sum()
        _, _, done, info = env.step(np.zeros(17))
        after = (mass[:, None] * env.data.xipos).sum(0) / mass.sum()
        np.testing.assert_allclose(info["achieved"][:2], (after - before)[:2] / 0.003, rtol=1e-5, atol=1e-6)
        if done:
            break
    assert done
    assert not 1.0 <= env.data.qpos[2] <= 2.0
