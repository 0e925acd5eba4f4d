"""`check_hindsight_env` passes what is right and names what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from env_wrappers import ENVIRONMENTS, HindsightEnvError, check_hindsight_env, make_env
from env_wrappers.point import PointRobot, SparsePointRobot

DOCS = (Path(__file__).parents[2] / "docs" / "environments.md").read_text()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_our_own_families_pass(name):
    check_hindsight_env(make_env(name, seed=0), remake=lambda: make_env(name, seed=0))
    assert f"`{name}`" in DOCS


def test_the_example_of_the_docs_runs():
    scope = {}
    examples = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        exec(example, scope)
    ENVIRONMENTS.pop("thermostat")


class FiveTuple(PointRobot):
    def step(self, action):
        return (*super().step(action), False)


class Unrecorded(PointRobot):
    """Steps with another reward than it relabels with."""

    def step(self, action):
        obs, reward, done, info = super().step(action)
        return obs, reward * 1.001, done, info


class Editing(PointRobot):
    def compute_rewards(self, path, tasks):
        result = super().compute_rewards(path, tasks)
        path["rewards"][:] = 0.0
        return result


class Moving(PointRobot):
    def compute_rewards(self, path, tasks):
        self._state = self._state + 1.0
        return super().compute_rewards(path, tasks)


class Reseeding(PointRobot):
    def _start(self):
        return np.random.uniform(size=2)  # noqa: NPY002


class WrongShape(PointRobot):
    def compute_rewards(self, path, tasks):
        result = super().compute_rewards(path, tasks)
        return result.rewards.T, result.terminals.T


class WrongDtype(PointRobot):
    def compute_rewards(self, path, tasks):
        result = super().compute_rewards(path, tasks)
        return result.rewards.astype(np.float64), result.terminals


class BatchDependent(PointRobot):
    def compute_rewards(self, path, tasks):
        rewards, terminals, _ = super().compute_rewards(path, tasks)
        return (rewards if len(tasks) > 1 else rewards + 1), terminals


class WrongSparse(SparsePointRobot):
    def compute_rewards(self, path, tasks):
        result = super().compute_rewards(path, tasks)
        return result.rewards, result.terminals, result.sparse_rewards + 1


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (FiveTuple, r"four values that rlkit expects, got 5"),
        (Unrecorded, "round trip: step 0 gave the reward"),
        (WrongSparse, "the sparse reward"),
        (Editing, "edited the path"),
        (Moving, "changed the environment"),
        (Reseeding, "global generator"),
        (WrongShape, r"rewards must be \(K, T\)"),
        (WrongDtype, "float32, got .* float64"),
        (BatchDependent, "alone than among others"),
    ],
)
def test_each_breach_is_named(cls, message):
    with pytest.raises(HindsightEnvError, match=message):
        check_hindsight_env(cls(n_tasks=5, seed=0))


def test_a_missing_method_is_named():
    with pytest.raises(HindsightEnvError, match="object has no reset"):
        check_hindsight_env(object())


class Unseeded(PointRobot):
    """Its starts come from a generator that seed does not set."""

    stray = np.random.default_rng(0)

    def _start(self):
        return self.stray.uniform(size=2)


class FromTheClock(PointRobot):
    built = 0

    def __init__(self):
        FromTheClock.built += 1
        super().__init__(n_tasks=5, task_seed=FromTheClock.built)


def test_what_is_not_reproducible_is_named():
    with pytest.raises(HindsightEnvError, match="two different starts"):
        check_hindsight_env(Unseeded(n_tasks=5))
    check_hindsight_env(FromTheClock())
    with pytest.raises(HindsightEnvError, match="other tasks"):
        check_hindsight_env(FromTheClock(), remake=FromTheClock)
    check_hindsight_env(PointRobot(n_tasks=5), remake=lambda: PointRobot(n_tasks=5))


class Limited:
    """As gym's TimeLimit: at the limit an episode is done, and the info says that it was only cut off."""

    def __init__(self, env, limit, flagged=True):
        self._env, self._limit, self._flagged = env, limit, flagged

    def __getattr__(self, name):
        if name in ("_env", "_limit", "_flagged"):
            raise AttributeError(name)
        return getattr(self._env, name)

    def reset(self):
        self._steps = 0
        return self._env.reset()

    def step(self, action):
        obs, reward, done, info = self._env.step(action)
        self._steps += 1
        if self._steps < self._limit:
            return obs, reward, done, info
        return obs, reward, True, {**info, "TimeLimit.truncated": self._flagged and not done}


def test_a_time_limit_is_no_terminal():
    check_hindsight_env(Limited(make_env("sparse-point-robot", n_tasks=3, seed=0), 10))
    with pytest.raises(HindsightEnvError, match="step 9 gave the terminal True"):
        check_hindsight_env(Limited(make_env("sparse-point-robot", n_tasks=3, seed=0), 10, flagged=False))


class EndsEarly(SparsePointRobot):
    """Says that an episode is cut off, and can't be stepped after that."""

    def reset(self):
        self._left = 7
        return super().reset()

    def step(self, action):
        assert self._left > 0, "stepped beyond its end"
        self._left -= 1
        obs, reward, done, info = super().step(action)
        return obs, reward, done, {**info, "truncated": self._left == 0}


def test_an_environment_that_was_cut_off_is_not_stepped_further():
    check_hindsight_env(EndsEarly(n_tasks=3, seed=0))
