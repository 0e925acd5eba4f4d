"""The ants: gymnasium's physics, rewards by formula, contact forces and gears."""

import mujoco
import numpy as np
from episodes import record

from env_wrappers import make_env


def test_ant_states_equal_gymnasium():
    from gymnasium.envs.mujoco.ant_v5 import AntEnv

    ours, theirs = make_env("ant-dir", seed=0), AntEnv()
    ours.reset_task(0), theirs.reset(seed=0)
    mujoco.mj_setState(theirs.model, theirs.data, ours.get_physics(), mujoco.mjtState.mjSTATE_INTEGRATION)
    rng = np.random.default_rng(0)
    for _ in range(100):
        action = rng.uniform(-1, 1, 8)
        np.testing.assert_array_equal(ours.step(action)[0], theirs.step(action)[0][:27])


def test_ant_goal_and_vel_formulas():
    goal, vel = make_env("ant-goal", n_tasks=5), make_env("ant-vel", n_tasks=5)
    np.testing.assert_allclose(np.linalg.norm(goal.tasks, axis=1), 2.0)
    gx, gy = goal.tasks[2]
    features = np.array(
        [[gx + 0.1, gy - 0.2, 0.03, 0.0], [0.0, 0.0, 0.03, 0.0], [0.0, 0.0, 0.03, 1.0]], np.float32
    )
    result = goal.compute_rewards({"env_infos": {"achieved": features}}, [2])
    np.testing.assert_allclose(
        result.rewards[0],
        [4 - 0.3 + 0.03, 4 - abs(gx) - abs(gy) + 0.03, 4 - abs(gx) - abs(gy) + 0.03],
        atol=1e-5,
    )
    assert result.terminals[0].tolist() == [False, False, True]
    result = vel.compute_rewards({"env_infos": {"achieved": np.array([[1.5, -0.1, 0.0]], np.float32)}}, [1])
    np.testing.assert_allclose(result.rewards[0, 0], 1 - abs(1.5 - vel.tasks[1, 0]) - 0.1, atol=1e-5)


def test_ant_contact_forces_are_alive_and_gears_are_apart():
    env = make_env("ant-goal", n_tasks=2, seed=0)
    path = record(env, 0, np.random.default_rng(0), length=100)
    assert np.abs(path["observations"][:, 29:]).max() == 1.0
    assert (np.abs(path["observations"][1:, 29:]).max(axis=1) > 0).mean() > 0.3
    assert env.model.actuator_gear[0, 0] == 30.0
    assert make_env("ant-dir").model.actuator_gear[0, 0] == 150.0
