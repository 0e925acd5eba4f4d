"""Side-by-side collection: what it gives is what one task at a time gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from env_wrappers import HindsightRewards, make_env
from env_wrappers.point import SparsePointRobot
from rlkit_hfr.experiments.runs.build import build_algorithm
from rlkit_hfr.experiments.settings.variant import build_variant


def test_side_by_side_collection_equals_one_at_a_time(make_algorithm):
    """With deterministic actions and starts, ten tasks side by side give what each gives
    alone, and in turns of three.
    """
    results = []
    for num_envs in (7, 3, 1):
        algorithm = make_algorithm("sparse-point-robot", num_envs=num_envs)
        algorithm.agent.z = torch.linspace(-1, 1, 21).view(7, 3)
        paths = algorithm.sampler.obtain_paths(range(7), deterministic=True)
        assert [len(path["rewards"]) for path in paths] == [10] * 7
        results.append(paths)
        np.testing.assert_array_equal([path["context"] for path in paths], algorithm.agent.z)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a["rewards"], b["rewards"], atol=1e-5)
            np.testing.assert_allclose(a["observations"], b["observations"], atol=1e-5)


def test_episodes_end_at_terminals_and_time_outs_are_no_terminals(make_algorithm):
    algorithm = make_algorithm("four-corners", max_path_length=12)
    corner = algorithm.env.tasks / math.sqrt(2)
    # straight to the first corner
    algorithm.agent.get_actions = lambda obs, deterministic: np.stack([corner[0]] * len(obs)) * 2
    algorithm.agent.clear_z(num_tasks=2)
    first, second = algorithm.sampler.obtain_paths([0, 2])
    assert len(first["rewards"]) < 12
    assert first["terminals"][-1]
    assert not first["timeouts"].any()
    assert not first["terminals"][:-1].any()
    assert len(second["rewards"]) == 12
    assert not second["terminals"].any()
    assert second["timeouts"][-1]
    np.testing.assert_array_equal(first["next_observations"][:-1], first["observations"][1:])


class _Odd(SparsePointRobot):
    """Rewards and dones of shape (1,); an info of the second task alone, of other shapes
    by task, and one that comes late.
    """

    def step(self, action):
        obs, reward, _, info = super().step(action)
        self.count = 0 if self._first else self.count + 1
        self._first = False
        own = ({"late": 1.0} if self._task_idx else {}) | ({"end": 1} if self.count else {})
        return (
            obs,
            np.array([reward]),
            np.array([False]),
            {**info, "shape": np.zeros(1 + self._task_idx), **own},
        )

    def reset(self):
        self._first = True
        return super().reset()


def test_environments_with_steps_of_their_own_keep_their_own_infos(make_algorithm):
    algorithm = make_algorithm(env=_Odd(n_tasks=7))
    algorithm.agent.clear_z(num_tasks=2)
    first, second = algorithm.sampler.obtain_paths([0, 1])
    assert first["rewards"].shape == first["terminals"].shape == (10, 1)
    for path, size, own in ((first, 1, set()), (second, 2, {"late"})):
        assert [info["shape"].shape for info in path["env_infos"]] == [(size,)] * 10
        kept = [info.keys() & {"late", "end"} for info in path["env_infos"]]
        assert kept == [own] + [own | {"end"}] * 9


class _NoSeed:
    """Takes no seed."""

    def __init__(self, env):
        self._env = env

    def __getattr__(self, name):
        if name in ("seed", "_env"):
            raise AttributeError(name)
        return getattr(self._env, name)


class _DrawsNothing(_NoSeed):
    def random_state(self):
        return {}


def test_an_environment_that_draws_and_takes_no_seed_is_refused(make_algorithm):
    """Its copies would all begin alike."""
    with pytest.raises(ValueError, match=r"_NoSeed draws numbers .* has no seed\(n\)"):
        make_algorithm(env=_NoSeed(SparsePointRobot(n_tasks=7)))


class _AnyStart(SparsePointRobot):
    def reset(self):
        return super().reset() + self._rng.normal(size=2)


def test_copies_side_by_side_draw_their_own_numbers(make_algorithm):
    algorithm = make_algorithm(env=_AnyStart(n_tasks=7, seed=0), num_envs=7)
    algorithm.agent.clear_z(num_tasks=7)
    starts = [path["observations"][0] for path in algorithm.sampler.obtain_paths(range(7))]
    assert len(np.unique(starts, axis=0)) == 7


def test_an_environment_without_a_seed_is_collected_from(make_algorithm):
    algorithm = make_algorithm(env=_DrawsNothing(SparsePointRobot(n_tasks=7)))
    algorithm.agent.clear_z(num_tasks=2)
    assert len(algorithm.sampler.obtain_paths([0, 1])) == 2


class _Lax(SparsePointRobot):
    """A reward function that gives float64 and one terminal for all."""

    def reward_of(self, achieved, task):
        rewards = np.asarray(super().reward_of(achieved, task).rewards, np.float64)
        return HindsightRewards(rewards, np.False_)


def test_rewards_and_terminals_of_any_type_are_cast(make_algorithm):
    algorithm = make_algorithm(env=_Lax(n_tasks=7))
    algorithm.agent.clear_z(num_tasks=2)
    path = algorithm.sampler.obtain_paths([0, 1])[0]
    assert (path["rewards"].dtype, path["terminals"].dtype, path["rewards"].shape) == (
        np.float32,
        bool,
        (10, 1),
    )


@pytest.mark.parametrize("name", ["sawyer-push", "ant-goal", "sparse-point-robot"])
def test_threads_that_step_environments_change_no_path(name):
    logs = []
    for threads in (1, 3):
        settings = [
            "n_train_tasks=7",
            "n_eval_tasks=1",
            "max_path_length=30",
            "num_envs=5",
            f"step_threads={threads}",
        ]
        algorithm = build_algorithm(
            build_variant(name, "none", "quick", None, settings, 0), torch.device("cpu")
        )
        assert algorithm.sampler._threads == threads
        algorithm.agent.clear_z(num_tasks=7)
        logs.append(algorithm.sampler.obtain_paths(range(7)))
    for first, second in zip(*logs, strict=True):
        np.testing.assert_array_equal(first["observations"], second["observations"])
        np.testing.assert_array_equal(first["rewards"], second["rewards"])


def test_threads_are_taken_where_they_help_alone():
    torch.set_num_threads(2)
    try:
        for name, expected in (("sawyer-push", 2), ("cheetah-vel", 1)):
            algorithm = build_algorithm(
                build_variant(name, "none", "quick", None, [], 0), torch.device("cpu")
            )
            assert algorithm.sampler._threads == expected
    finally:
        torch.set_num_threads(1)
    assert make_env("humanoid-dir").threads_help
