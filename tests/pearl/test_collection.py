"""What a visit collects, and which buffer gets it."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr.pearl import PEARLSoftActorCritic, build_nets


def test_collection_fills_both_buffers_as_the_phases_say(make_algorithm):
    algorithm = make_algorithm(
        "point-robot", num_steps_prior=10, num_steps_posterior=20, num_extra_rl_steps_posterior=30
    )
    algorithm.collect_data([0, 1], 10)
    algorithm._visit([0])
    assert algorithm.replay_buffer.num_steps_can_sample(0) == 70
    assert algorithm.enc_replay_buffer.num_steps_can_sample(0) == 30  # cleared, prior, posterior
    assert algorithm.enc_replay_buffer.num_steps_can_sample(1) == 10
    assert algorithm._n_env_steps_total == 80


def repeated(path):
    """Of each step after a path's first, whether its action is the one before."""
    return (path["actions"][1:] == path["actions"][:-1]).all(axis=1)


def test_sticky_actions_last_as_long_as_they_should(make_algorithm):
    """Of 7 episodes of 300 steps three in four actions are the one before; without stickiness, none."""
    algorithm = make_algorithm("point-robot", max_path_length=300)
    algorithm.agent.clear_z(num_tasks=7)
    free = algorithm.sampler.obtain_paths(range(7))
    assert not np.concatenate([repeated(path) for path in free]).any()
    sticky = algorithm.sampler.obtain_paths(range(7), stickiness=0.75)
    shares = [repeated(path).mean() for path in sticky]
    assert np.mean(shares) == pytest.approx(0.75, abs=5 * np.sqrt(0.75 * 0.25 / (7 * 299)))
    assert len({path["actions"].tobytes() for path in sticky}) == 7  # each episode draws for itself


def test_sticky_actions_are_those_of_their_own_episode(make_algorithm):
    """Four corners: one episode ends early, and those after it keep their actions."""
    algorithm = make_algorithm("four-corners", max_path_length=20)
    calls = iter(range(100))

    def get_actions(obs, deterministic):
        first = next(calls) == 0
        return np.sign(algorithm.env.tasks) if first else np.zeros((len(obs), 2))

    algorithm.agent.get_actions = get_actions
    algorithm.agent.clear_z(num_tasks=4)
    tasks = [0, 0, 0, 3]
    paths = algorithm.sampler.obtain_paths(tasks, stickiness=1.0)
    assert [len(path["rewards"]) for path in paths] == [9, 20, 20, 9]
    for path, corner in zip(paths, algorithm.env.tasks, strict=True):
        np.testing.assert_array_equal(path["actions"], np.tile(np.sign(corner), (len(path["rewards"]), 1)))


def test_the_initial_pool_alone_is_sticky(make_algorithm):
    algorithm = make_algorithm("point-robot", num_initial_steps=200, initial_stickiness=0.9, num_iterations=1)
    asked = []
    collect = algorithm.collect_data
    algorithm.collect_data = lambda *args, **options: (
        asked.append(options.get("stickiness", 0.0)), collect(*args, **options)
    )  # fmt: skip
    algorithm.train()
    pool = algorithm.replay_buffer.task_buffers[0]._actions[:200]
    assert 0.75 < (pool[1:] == pool[:-1]).all(axis=1).mean() < 0.95
    groups = -(-len(algorithm.train_tasks) // algorithm.config.num_envs)
    assert asked[:groups] == [0.9] * groups
    assert asked[groups:]
    assert not any(asked[groups:])


def test_task_indices_of_numpy_are_numbers_that_a_checkpoint_holds(make_algorithm):
    blank = make_algorithm()
    nets = build_nets(2, 2, 3, 16, blank.config)
    algorithm = PEARLSoftActorCritic(
        blank.env, np.arange(5), np.array([5, 6]), nets, blank.config, callbacks=(), log_dir=None
    )
    assert {type(task) for task in [*algorithm.train_tasks, *algorithm.eval_tasks]} == {int}
