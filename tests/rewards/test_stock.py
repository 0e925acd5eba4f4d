"""Hindsight rewards of environments that were not made for relabeling."""

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
import types

import numpy as np
import pytest

from env_wrappers import make_env
from rlkit_hfr.rewards.recording import RecordVelocity
from rlkit_hfr.rewards.resolve import resolve_rewards


def _record(env, task, rng, length=20, dim=2, scale=0.1):
    """A path in rlkit's list-of-dicts format."""
    env.reset_task(task)
    obs, steps = env.reset(), []
    for _ in range(length):
        action = rng.uniform(-scale, scale, dim)
        next_obs, reward, done, info = env.step(action)
        steps.append((obs, action, reward, next_obs, done, info))
        obs = next_obs
    o, a, r, o2, d, infos = zip(*steps, strict=True)
    return dict(
        observations=np.array(o),
        actions=np.array(a),
        rewards=np.array(r).reshape(-1, 1),
        next_observations=np.array(o2),
        terminals=np.array(d).reshape(-1, 1),
        env_infos=list(infos),
    )


def _round_trip(env, tasks, **options):
    """Relabeling to the own task gives the recorded rewards back; to another, what that one pays."""
    rewards, rng = resolve_rewards(env), np.random.default_rng(0)
    for task in tasks:
        path = _record(env, task, rng, **options)
        result = rewards(path, list(tasks))
        own = list(tasks).index(task)
        np.testing.assert_allclose(result.rewards[own], path["rewards"][:, 0], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(result.terminals[own], path["terminals"][:, 0])
        if "sparse_reward" in path["env_infos"][0]:
            np.testing.assert_allclose(
                result.sparse_rewards[own],
                [i["sparse_reward"] for i in path["env_infos"]],
                rtol=1e-5,
                atol=1e-6,
            )
        assert len(tasks) == 1 or np.abs(result.rewards - result.rewards[own]).max() > 1e-3
    return rewards


class PointEnv:
    """Like the point robot of oyster and rlkit: positions and goals, nothing in the infos."""

    def __init__(self):
        self.goals = [[0.5, 0.2], [-0.3, 0.9], [0.0, -1.0]]

    def reset_task(self, idx):
        self._goal = self.goals[idx]

    def reset(self):
        self._state = np.zeros(2)
        return self._state

    def step(self, action):
        self._state = self._state + action
        return self._state.copy(), -float(np.linalg.norm(self._state - self._goal)), False, {}


class SparsePointEnv(PointEnv):
    goal_radius = 0.4

    def step(self, action):
        obs, reward, done, _ = super().step(action)
        return obs, reward, done, {"sparse_reward": reward + 1 if reward >= -self.goal_radius else 0}


class HalfCheetahVelEnv:
    """Records the forward speed, as rlkit's does."""

    dt = 0.05
    tasks = [{"velocity": v} for v in (0.5, 1.0, 2.5)]

    def __init__(self):
        self.data = types.SimpleNamespace(qpos=np.zeros(1))

    def reset_task(self, idx):
        self._goal_vel = self.tasks[idx]["velocity"]

    def reset(self):
        return self.data.qpos.copy()

    def _speed(self, action):
        self.data.qpos = self.data.qpos + self.dt * 20 * action[0]
        return 20 * action[0]

    def step(self, action):
        speed, control = self._speed(action), -0.05 * float(np.square(action).sum())
        forward = -abs(speed - self._goal_vel)
        return (
            self.data.qpos.copy(),
            forward + control,
            False,
            dict(reward_forward=forward, reward_ctrl=control, forward_vel=speed),
        )


class OysterCheetah(HalfCheetahVelEnv):
    """Keeps only the distance to the goal, as oyster's does: from it two speeds are possible."""

    def step(self, action):
        obs, reward, done, info = super().step(action)
        return obs, reward, done, {key: value for key, value in info.items() if not key.endswith("vel")}


class HalfCheetahDirEnv(HalfCheetahVelEnv):
    tasks = [{"direction": 1}, {"direction": -1}]

    def reset_task(self, idx):
        self._task = self.tasks[idx]

    def step(self, action):
        speed, control = self._speed(action), -0.05 * float(np.square(action).sum())
        forward = self._task["direction"] * speed
        return (
            self.data.qpos.copy(),
            forward + control,
            False,
            dict(reward_forward=forward, reward_ctrl=control, task=self._task),
        )


class AntDirEnv:
    dt, direction_in_degrees = 0.05, True
    tasks = [{"goal": 0.0}, {"goal": 90.0}, {"goal": 200.0}]

    def reset_task(self, idx):
        self._goal = self.tasks[idx]["goal"]

    def reset(self):
        self._step = 0
        return np.zeros(3)

    def step(self, action):
        self._step += 1
        angle, moved = self._goal / 180 * np.pi, np.array([action[0], action[1], 0.1])
        forward = float(moved[:2] / self.dt @ [np.cos(angle), np.sin(angle)])
        infos = dict(
            reward_forward=forward,
            reward_ctrl=-0.1,
            reward_contact=-0.01,
            reward_survive=1.0,
            torso_velocity=moved,
        )
        return moved, forward + 0.89, self._step == 20, infos


@pytest.mark.parametrize("cls", [PointEnv, SparsePointEnv, HalfCheetahVelEnv, HalfCheetahDirEnv, AntDirEnv])
def test_stock_environments_by_what_their_paths_record(cls):
    env = cls()
    _round_trip(env, range(len(getattr(env, "tasks", getattr(env, "goals", [])))))


def test_a_path_that_lacks_what_its_environment_records_is_said():
    env = HalfCheetahVelEnv()
    path = _record(env, 0, np.random.default_rng(0))
    for info in path["env_infos"]:
        del info["forward_vel"]
    with pytest.raises(ValueError, match='the paths of HalfCheetahVelEnv lack info."forward_vel"'):
        resolve_rewards(env)(path, [0])


def test_a_cheetah_that_hides_its_speed_is_refused_until_it_is_wrapped():
    with pytest.raises(
        ValueError, match="no stock environment whose paths record enough.*rlkit_hfr.rewards.recording"
    ):
        resolve_rewards(OysterCheetah())
    env = RecordVelocity(OysterCheetah())
    _round_trip(env, range(3))
    assert env.dt == 0.05
    assert pickle.loads(pickle.dumps(env)).tasks == env.tasks
    with pytest.raises(ValueError, match="got PointEnv without tasks"):
        RecordVelocity(PointEnv())


class ReleaseEnv(PointEnv):
    """The convention of HFR's release."""

    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def step(self, action):
        obs, reward, _, _ = super().step(action)
        return (
            obs,
            reward,
            reward > -0.1,
            {"x": self._state[0], "y": self._state[1], "sparse_reward": float(reward > -0.5)},
        )

    def get_train_goals(self, number):
        return self.goals[:number]

    def reward(self, info, goal):
        value = -float(np.hypot(info["x"] - goal[0], info["y"] - goal[1]))
        return {1: value, 2: (value, value > -0.1), 3: (value, float(value > -0.5), value > -0.1)}[self.parts]


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_the_releases_convention(parts):
    env, rng = type("Env", (ReleaseEnv,), {})(parts), np.random.default_rng(0)
    path = _record(env, 1, rng)
    result = resolve_rewards(env)(path, [0, 1])
    np.testing.assert_allclose(result.rewards[1], path["rewards"][:, 0], rtol=1e-5)
    if parts > 1:
        np.testing.assert_array_equal(result.terminals[1], path["terminals"][:, 0])
    assert (result.sparse_rewards is not None) == (parts == 3)


def test_an_environments_own_compute_rewards_comes_first():
    env = make_env("point-robot", n_tasks=3)
    env.reward = env.get_train_goals = None
    _round_trip(env, range(3), scale=1.0)


@pytest.mark.skipif(not os.environ.get("OYSTER_PATH"), reason="OYSTER_PATH names no checkout of oyster")
@pytest.mark.parametrize("name", ["PointEnv", "SparsePointEnv"])
def test_oysters_own_point_robots(name):
    """Loaded without its package, which imports mujoco_py."""
    package = types.ModuleType("stock_envs")
    package.register_env = lambda key: lambda cls: cls
    package.__path__ = []
    sys.modules["stock_envs"] = package
    spec = importlib.util.spec_from_file_location(
        "stock_envs.point_robot", os.path.join(os.environ["OYSTER_PATH"], "rlkit/envs/point_robot.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _round_trip(getattr(module, name)(randomize_tasks=True, n_tasks=4), range(4))
