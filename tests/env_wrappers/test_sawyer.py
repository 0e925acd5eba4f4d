"""The sawyer arm: metaworld's physics and observations, starts, goals, and that its tasks can be solved."""

import warnings

import mujoco
import numpy as np
import pytest

from env_wrappers import make_env


def _metaworld(name, goal):
    from metaworld.envs import SawyerPushEnvV3, SawyerReachEnvV3

    env = {"push": SawyerPushEnvV3, "reach": SawyerReachEnvV3}[name]()
    env._set_task_called, env._freeze_rand_vec, env._partially_observable = True, True, True
    env._last_rand_vec = np.concatenate([[0.0, 0.6, 0.02], goal])
    env.reset()
    return env


def _state_of(env):
    state = np.empty(mujoco.mj_stateSize(env.model, mujoco.mjtState.mjSTATE_INTEGRATION))
    mujoco.mj_getState(env.model, env.data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
    return state


@pytest.mark.parametrize("name", ["push", "reach"])
def test_sawyer_physics_equals_metaworld(name):
    """From the same state, the same actions lead to the same hand and object, bit for bit."""
    ours = make_env(f"sawyer-{name}", n_tasks=2)
    theirs = _metaworld(name, [0.05, 0.85, 0.2])
    ours.reset_task(0)
    ours.set_physics(_state_of(theirs))
    rng = np.random.default_rng(0)
    for _ in range(100):
        action = rng.uniform(-1, 1, 4).astype(np.float32)
        obs = ours.step(action)[0]
        theirs.step(action)
        np.testing.assert_array_equal(obs[:3], theirs.data.body("hand").xpos)
        np.testing.assert_array_equal(obs[3:], theirs.data.body("obj").xpos)
        if name == "reach":
            np.testing.assert_array_equal(ours._features(), theirs.tcp_center)


@pytest.mark.parametrize("name", ["push", "reach"])
def test_sawyers_long_observation_is_metaworlds(name):
    ours = make_env(f"sawyer-{name}", n_tasks=2, obs_dim=39)
    theirs = _metaworld(name, [0.05, 0.85, 0.2])
    ours.reset_task(0)
    ours.set_physics(_state_of(theirs))
    rng = np.random.default_rng(0)
    # the frame before the first is another
    ours.step(action := rng.uniform(-1, 1, 4).astype(np.float32)), theirs.step(action)
    for _ in range(60):
        action = rng.uniform(-1, 1, 4).astype(np.float32)
        obs, expected = ours.step(action)[0], theirs.step(action)[0]
        same = np.r_[0:7, 18:25, 36:39]
        np.testing.assert_array_equal(obs[same], expected[same])
        for at in (7, 25):  # a rotation is one of two quaternions
            assert abs(obs[at : at + 4] @ expected[at : at + 4]) == pytest.approx(1.0, abs=1e-9)
        np.testing.assert_array_equal(obs[11:18], 0.0)
    short = make_env("sawyer-push", n_tasks=2)
    long = make_env("sawyer-push", n_tasks=2, obs_dim=39)
    first = long.reset_task(0)
    np.testing.assert_array_equal(first[:18], first[18:36])
    np.testing.assert_array_equal(first[[0, 1, 2, 4, 5, 6]], short.reset_task(0))


def test_reference_push_start_moves_the_puck_by_itself():
    """The hand is still in flight at the start and sweeps the puck: the measured transient
    of the reference.
    """
    env = make_env("sawyer-push", n_tasks=2)
    np.testing.assert_allclose(env.reset_task(0), [0.083, 0.530, 0.083, 0.0, 0.6, 0.02], atol=2e-3)
    for _ in range(150):
        obs = env.step(np.zeros(4))[0]
    np.testing.assert_allclose(obs[3:5], [-0.036, 0.670], atol=2e-3)
    caged = make_env("sawyer-push", n_tasks=2, start="caged")
    start = caged.reset_task(0)
    np.testing.assert_allclose(start[3:5], [0.0, 0.7], atol=1e-3)
    for _ in range(150):
        obs = caged.step(np.zeros(4))[0]
    np.testing.assert_allclose(obs[3:5], start[3:5], atol=5e-3)


def test_sawyer_reach_is_solved_by_moving_towards_the_goal():
    env = make_env("sawyer-reach")
    solved = 0
    for task in range(0, 60, 6):
        env.reset_task(task)
        for _ in range(150):
            tcp = env._features()
            _, reward, terminal, info = env.step(
                np.concatenate([np.clip((env.tasks[task] - tcp) * 20, -1, 1), [0.0]])
            )
            if terminal:
                assert reward == 0.0
                assert info["success"] == 1.0
                solved += 1
                break
    assert solved == 10


def test_sawyer_push_is_solved_by_metaworlds_scripted_policy():
    """metaworld's own policy on our physics from a settled start: every task can be reached."""
    from metaworld.policies import SawyerPushV3Policy

    policy = SawyerPushV3Policy()
    env = make_env("sawyer-push", start="caged")
    solved = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for task in range(0, 60, 6):
            obs = env.reset_task(task)
            for _ in range(150):
                goal = np.append(env.tasks[task], 0.02)
                full = np.zeros(39)
                full[:3], full[3], full[4:7], full[36:39] = obs[:3], 1.0, obs[3:6], goal
                obs, _, terminal, _ = env.step(np.clip(policy.get_action(full), -1, 1))
                if terminal:
                    solved += 1
                    break
    assert solved >= 8


@pytest.mark.parametrize("name", ["sawyer-push", "sawyer-reach"])
def test_goals_of_sawyer_can_be_wider_and_smaller(name):
    plain, wide = make_env(name, n_tasks=50), make_env(name, n_tasks=50, goal_width=2.0, tolerance=0.01)
    np.testing.assert_allclose(wide.tasks[:, 0], 2.0 * plain.tasks[:, 0])
    np.testing.assert_array_equal(wide.tasks[:, 1:], plain.tasks[:, 1:])
    goal = wide.tasks[0]
    near = (goal + np.eye(len(goal))[0] * 0.02).astype(np.float32)
    assert not wide.reward_of(near, goal).terminals
    assert make_env(name, n_tasks=50, goal_width=2.0).reward_of(near, goal).terminals
    for bad in (0.0, -1.0, float("nan"), "wide"):
        with pytest.raises(ValueError, match="goal_width must be a positive number"):
            make_env(name, goal_width=bad)


@pytest.mark.parametrize("name", ["sawyer-push", "sawyer-reach"])
def test_observations_of_sawyer_in_other_units_tell_the_same(name):
    plain, scaled = make_env(name, n_tasks=3), make_env(name, n_tasks=3, obs_unit=0.1)
    starts = np.array([0.0, 0.6, 0.2, 0.0, 0.6, 0.02])
    np.testing.assert_allclose(scaled.reset_task(1), (plain.reset_task(1) - starts) / 0.1)
    for action in np.random.default_rng(0).uniform(-1, 1, (20, 4)):
        (a, reward, done, info), (b, *same) = plain.step(action), scaled.step(action)
        np.testing.assert_allclose(b, (a - starts) / 0.1)
        assert same[:2] == [reward, done]
        np.testing.assert_array_equal(same[2]["achieved"], info["achieved"])
    with pytest.raises(ValueError, match="obs_unit must be a positive number"):
        make_env(name, obs_unit=0.0)
    with pytest.raises(ValueError, match="obs_unit is for observations of 6 numbers, got obs_dim=39"):
        make_env(name, obs_unit=0.1, obs_dim=39)


def test_an_unknown_start_is_refused():
    with pytest.raises(ValueError, match="start must be one of"):
        make_env("sawyer-push", start="nowhere")
