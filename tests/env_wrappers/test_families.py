"""Task families: the round-trip law, agreement with scalar formulas and with the packages
whose physics they use.
"""

import copy
import pickle
import warnings

import mujoco
import numpy as np
import pytest

from env_wrappers import ENVIRONMENTS, make_env
from env_wrappers.base import HindsightRewards


def _record(env, task, rng, length=40, policy=None):
    obs = [env.reset_task(task)]
    rewards, terminals, infos, actions = [], [], [], []
    for _ in range(length):
        action = rng.uniform(-1, 1, env.action_space.shape) if policy is None else policy(obs[-1])
        o, r, d, info = env.step(action)
        obs.append(o), rewards.append(r), terminals.append(d), infos.append(info), actions.append(action)
    return dict(
        observations=np.array(obs),
        rewards=np.array(rewards),
        terminals=np.array(terminals),
        env_infos=infos,
        actions=np.array(actions),
    )


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_round_trip_is_exact(name):
    env, rng = make_env(name, seed=0), np.random.default_rng(0)
    tasks = list(env.get_all_task_idx())
    for episode in range(20):
        own = tasks[episode * 7 % len(tasks)]
        path = _record(env, own, rng)
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
    path = _record(first, 0, np.random.default_rng(1))
    replay = iter(path["actions"])
    task = min(3, len(first.tasks) - 1)
    other = _record(second, task, None, policy=lambda obs: next(replay))
    np.testing.assert_array_equal(
        first.compute_rewards(path, [task]).rewards[0], other["rewards"].astype(np.float32)
    )
    # random actions find no sparse reward in so few steps
    if not name.startswith(("sawyer", "four", "visual")) and "sparse" not in name:
        assert not np.array_equal(path["rewards"], other["rewards"])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_compute_rewards_is_pure_and_takes_both_info_formats(name):
    env = make_env(name, seed=0)
    path = _record(env, 1, np.random.default_rng(2))
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
    _record(env, 1, rng, length=7)
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


def test_four_corners_scalar_formula():
    env = make_env("four-corners")
    rng = np.random.default_rng(0)
    points = np.concatenate(
        [rng.uniform(-1.3, 1.3, (2000, 2)), [[0.1, 0.3], [0.5, 0.3], [0.3, 0.3], [-0.3, 0.3], [0.8, 1.0]]]
    ).astype(np.float32)
    result = env.compute_rewards({"env_infos": {"achieved": points}}, range(4))
    for k, (gx, gy) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        for t, (x, y) in enumerate(points.astype(float)):
            solved = ((x - gx) ** 2 + (y - gy) ** 2) ** 0.5 <= 0.2
            inside = 0.1 < abs(x) < 0.5 and 0.1 < abs(y) < 0.5 and x * gx > 0 and y * gy > 0
            assert result.rewards[k, t] == (0 if solved else -3 if inside else -1)
            assert result.terminals[k, t] == solved


def test_sparse_point_robot_formula():
    env = make_env("sparse-point-robot", n_tasks=3)
    goal = env.tasks[1]
    points = np.array([goal, goal * 0.9, goal * 0.7], np.float32)
    result = env.compute_rewards({"env_infos": {"achieved": points}}, [1])
    np.testing.assert_allclose(result.rewards[0], [0.0, -0.1, -0.3], atol=1e-6)
    np.testing.assert_allclose(result.sparse_rewards[0], [1.0, 0.9, 0.0], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(env.tasks, axis=1), 1.0)


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


def test_ant_states_equal_gymnasium():
    from gymnasium.envs.mujoco.ant_v5 import AntEnv

    ours, theirs = make_env("ant-dir", seed=0), AntEnv()
    ours.reset_task(0), theirs.reset(seed=0)
    mujoco.mj_setState(theirs.model, theirs.data, ours.get_physics(), mujoco.mjtState.mjSTATE_INTEGRATION)
    rng = np.random.default_rng(0)
    for _ in range(100):
        action = rng.uniform(-1, 1, 8)
        np.testing.assert_array_equal(ours.step(action)[0], theirs.step(action)[0][:27])


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
    path = _record(env, 0, np.random.default_rng(0), length=100)
    assert np.abs(path["observations"][:, 29:]).max() == 1.0
    assert (np.abs(path["observations"][1:, 29:]).max(axis=1) > 0).mean() > 0.3
    assert env.model.actuator_gear[0, 0] == 30.0
    assert make_env("ant-dir").model.actuator_gear[0, 0] == 150.0


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


def _metaworld(name, goal):
    from metaworld.envs import SawyerPushEnvV3, SawyerReachEnvV3

    env = {"push": SawyerPushEnvV3, "reach": SawyerReachEnvV3}[name]()
    env._set_task_called, env._freeze_rand_vec, env._partially_observable = True, True, True
    env._last_rand_vec = np.concatenate([[0.0, 0.6, 0.02], goal])
    env.reset()
    return env


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


def _state_of(env):
    state = np.empty(mujoco.mj_stateSize(env.model, mujoco.mjtState.mjSTATE_INTEGRATION))
    mujoco.mj_getState(env.model, env.data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
    return state


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


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="did you mean 'sawyer-push'"):
        make_env("sawyer-psh")
    with pytest.raises(ValueError, match="exactly 4 tasks"):
        make_env("four-corners", n_tasks=5)
    with pytest.raises(ValueError, match="task index"):
        make_env("point-robot", n_tasks=2).reset_task(2)
    with pytest.raises(ValueError, match="start must be one of"):
        make_env("sawyer-push", start="nowhere")
    with pytest.raises(ValueError, match="check n_tasks"):
        make_env("point-robot", n_tasks=0)


def test_reward_functions_return_the_shared_type():
    env = make_env("point-robot", n_tasks=2)
    assert isinstance(env.reward_of(np.zeros(2, np.float32), env.tasks[0]), HindsightRewards)


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
