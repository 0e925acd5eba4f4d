"""Families with random dynamics: physics by task, rewards by goal or not at all."""

from __future__ import annotations

import copy
import pickle
import warnings

import mujoco
import numpy as np
import pytest

from env_wrappers import make_env
from env_wrappers.mujoco_env import load_model

NAMES = ("ant-goal-rand-params", "cheetah-vel-sparse-rand-params", "hopper-rand-params", "walker-rand-params")
ENTRIES = {
    "ant-goal-rand-params": 112,
    "cheetah-vel-sparse-rand-params": 68,
    "hopper-rand-params": 41,
    "walker-rand-params": 65,
}


@pytest.mark.parametrize("name", NAMES)
def test_dynamics_are_scaled_from_the_nominal_and_within_the_range(name):
    env, nominal = (
        make_env(name, n_tasks=5, dynamics_range=2.0),
        make_env(name, n_tasks=5, dynamics_range=0.0),
    )
    ratios = []
    for task in (0, 3, 4, 3):  # back and forth: never from what was written before
        env.reset_task(task), nominal.reset_task(task)
        for field, base in (
            ("body_mass", 1.5),
            ("body_inertia", 1.5),
            ("dof_damping", 1.3),
            ("geom_friction", 1.5),
        ):
            ours, theirs = (np.ravel(getattr(e.model, field)) for e in (env, nominal))
            np.testing.assert_array_equal(ours[theirs == 0], 0.0)
            ratio = ours[theirs != 0] / theirs[theirs != 0]
            assert (ratio > base**-2.0).all()
            assert (ratio < base**2.0).all()
            ratios.append(ratio)
    assert len(np.unique(np.concatenate(ratios))) > 20
    np.testing.assert_array_equal(np.concatenate(ratios[4:8]), np.concatenate(ratios[12:]))
    assert sum(m[0].size for m in env._multipliers.values()) == ENTRIES[name]


@pytest.mark.parametrize("name", NAMES)
def test_tasks_move_differently_and_models_are_not_shared(name):
    first, second = make_env(name, n_tasks=5, seed=1), make_env(name, n_tasks=5, seed=1)
    a, b = first.reset_task(0), second.reset_task(1)
    np.testing.assert_array_equal(a, b)
    other = make_env(name, n_tasks=5, seed=1)
    other.reset_task(0)
    for _ in range(20):
        action = np.full(first.action_space.shape, 0.5)
        a, b, c = (env.step(action)[0] for env in (first, second, other))
    assert not np.allclose(a, b)
    np.testing.assert_array_equal(a, c)
    twins = copy.deepcopy(second), pickle.loads(pickle.dumps(second))
    for twin in twins:
        np.testing.assert_array_equal(twin.model.body_mass, second.model.body_mass)
        assert twin.model is not second.model


def test_derived_constants_follow_the_masses():
    env = make_env("ant-goal-rand-params", n_tasks=2)
    env.reset_task(1)
    scratch, model = mujoco.MjData(env.model), copy.copy(env.model)
    before = model.body_subtreemass.copy(), model.dof_invweight0.copy()
    mujoco.mj_setConst(model, scratch)
    np.testing.assert_allclose(before[0], model.body_subtreemass)
    np.testing.assert_allclose(before[1], model.dof_invweight0)
    assert before[0][0] == pytest.approx(env.model.body_mass.sum())


@pytest.mark.parametrize(
    ("name", "base"),
    [("ant-goal-rand-params", "ant-goal"), ("cheetah-vel-sparse-rand-params", "cheetah-vel-sparse")],
)
def test_goals_and_rewards_are_those_of_the_base(name, base):
    env, plain = make_env(name), make_env(base)
    np.testing.assert_array_equal(env.tasks, plain.tasks)
    achieved = np.random.default_rng(0).normal(size=(50, 4 if base == "ant-goal" else 2)).astype(np.float32)
    path = {"env_infos": {"achieved": achieved}}
    np.testing.assert_array_equal(
        env.compute_rewards(path, range(100)).rewards, plain.compute_rewards(path, range(100)).rewards
    )


@pytest.mark.parametrize("name", ["hopper-rand-params", "walker-rand-params"])
def test_dynamics_alone_leave_nothing_to_relabel_by_reward_and_say_so_once(name):
    env = make_env(name, n_tasks=4, seed=0)
    env.reset_task(2)
    rewards, dones, infos = [], [], []
    for _ in range(30):
        _, reward, done, info = env.step(np.zeros(env.action_space.shape))
        rewards.append(reward), dones.append(done), infos.append(info)
    with pytest.warns(UserWarning, match="nothing to relabel by reward"):
        result = env.compute_rewards({"env_infos": infos}, range(4))
    for k in range(4):
        np.testing.assert_array_equal(result.rewards[k], np.array(rewards, np.float32))
        np.testing.assert_array_equal(result.terminals[k], dones)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env.compute_rewards({"env_infos": infos}, range(4))


def test_hopper_and_walker_rewards_and_ends():
    for name, height in (("hopper-rand-params", 0.7), ("walker-rand-params", 0.8)):
        env = make_env(name, n_tasks=2, seed=0)
        env.reset_task(0)
        assert env.dt == pytest.approx(0.016)
        before, action = env.data.qpos[0], np.full(env.action_space.shape, 0.2)
        _, reward, _, _ = env.step(action)
        expected = (env.data.qpos[0] - before) / 0.016 + 1.0 - 1e-3 * np.square(action).sum()
        assert reward == pytest.approx(expected, rel=1e-5)
        for _ in range(400):
            obs, _, done, _ = env.step(env.action_space.sample())
            if done:
                break
        assert done
        assert obs[0] <= height or abs(obs[1]) >= 0.2
    # the shared one is as it was
    assert load_model("gymnasium", "envs/mujoco/assets/hopper.xml").opt.timestep != 0.004


def test_bad_range():
    with pytest.raises(ValueError, match="dynamics_range must be"):
        make_env("hopper-rand-params", dynamics_range=-1.0)
