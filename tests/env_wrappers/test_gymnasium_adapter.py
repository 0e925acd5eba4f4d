"""Gymnasium's environments are served as rlkit expects, and a truncation is no terminal."""

from __future__ import annotations

import copy
import pickle

import gymnasium
import numpy as np
import pytest

from env_wrappers import (
    ENVIRONMENTS,
    GymnasiumAdapter,
    HindsightEnvError,
    HindsightRewards,
    check_hindsight_env,
    make_env,
    register_env,
)
from examples.gymnasium_thermostat import Thermostat
from rlkit_hfr import attach
from rlkit_hfr.experiments.commands import show_env, train, watch


@pytest.fixture
def env():
    return make_env(Thermostat, hours=4, seed=0)


def test_make_env_serves_gymnasium_and_leaves_others_as_they_are(env):
    assert isinstance(env, GymnasiumAdapter)
    assert not isinstance(make_env("point-robot"), GymnasiumAdapter)
    assert list(env.get_all_task_idx()) == [0, 1, 2, 3, 4]
    assert env.reset_task(3).shape == (1,)
    assert env.unwrapped_env._goal == env.tasks[3]


def test_a_truncation_is_no_terminal_and_a_termination_is_one(env):
    env.reset_task(0)
    steps = [env.step(np.zeros(1)) for _ in range(4)]
    assert [step[3]["truncated"] for step in steps] == [False, False, False, True]
    assert [step[2] for step in steps] == [False] * 4
    env.reset()
    env.unwrapped_env._room = 39.0
    _, _, done, info = env.step(np.ones(1))
    assert done is True
    assert info["truncated"] is False


def test_actions_are_scaled_to_the_bounds_of_the_space(env):
    env.reset()
    for action, change in ((1.0, 3.0), (-0.5, -1.5), (7.0, 3.0)):
        before = env.unwrapped_env._room
        env.step(np.array([action], np.float32))
        assert env.unwrapped_env._room - before == pytest.approx(change)
    assert (env.action_space.low, env.action_space.high) == (-1.0, 1.0)


def test_compute_rewards_gets_the_actions_that_the_environment_got():
    class Costly(Thermostat):
        def compute_rewards(self, path, tasks):
            return np.abs(path["actions"]).T.repeat(len(tasks), 0)

        rewards_of_vectors = compute_rewards

    path = dict(actions=np.array([[1.0], [0.5]], np.float32))
    env = GymnasiumAdapter(Costly())
    assert env.compute_rewards(path, [0, 1]).tolist() == [[3.0, 1.5], [3.0, 1.5]]
    assert env.rewards_of_vectors(path, np.zeros((2, 1))).tolist() == [[3.0, 1.5], [3.0, 1.5]]
    assert path["actions"].tolist() == [[1.0], [0.5]]


def test_seeds_repeat_and_the_generator_can_be_put_back(env):
    def starts(seed):
        env.seed(seed)
        return [float(env.reset()[0]) for _ in range(3)]

    assert starts(3) == starts(3) != starts(4)
    assert make_env(Thermostat, seed=5).reset() == make_env(Thermostat, seed=5).reset()
    state = copy.deepcopy(env.random_state())
    first = env.reset()
    env.set_random_state(state)
    assert env.reset() == first


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_it_can_be_copied(env, duplicate):
    other = duplicate(env)
    other.reset_task(4)
    assert other.unwrapped_env._goal != env.unwrapped_env._goal


def test_methods_are_found_through_gymnasiums_wrappers():
    env = make_env(lambda: gymnasium.wrappers.TimeLimit(Thermostat(hours=100), 3), seed=0)
    env.reset_task(2)
    truncated = [env.step(np.zeros(1))[3]["truncated"] for _ in range(3)]
    assert truncated == [False, False, True]
    path = dict(rewards=np.zeros((1, 1)), actions=np.zeros((1, 1)), env_infos=[{"room": np.float32(20.0)}])
    assert isinstance(env.compute_rewards(path, [0]), HindsightRewards)


def test_what_the_environment_lacks_the_adapter_lacks():
    """So that `attach` asks for rewards."""

    class Silent(Thermostat):
        compute_rewards = None

    env = make_env(Silent)
    assert not hasattr(env, "compute_rewards")
    assert not hasattr(env, "goal_distances")


class Discrete(Thermostat):
    action_space = gymnasium.spaces.Discrete(3)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"the action_space of Discrete must be a Box.*Discrete\(3\)"):
        make_env(Discrete)

    with pytest.raises(ValueError, match="CartPoleEnv must be a Box"):
        make_env(lambda: gymnasium.make("CartPole-v1"))
    with pytest.raises(ValueError, match=r"PendulumEnv has no reset_task\(idx\)"):
        make_env(lambda: gymnasium.make("Pendulum-v1"))


def test_it_trains_with_episodes_that_end_at_truncations(make_algorithm):
    env = make_env(Thermostat, hours=4, seed=0)
    algorithm = make_algorithm(env=env, num_iterations=1)
    relabeling = attach(algorithm, "hfr", seed=0, relabel_fraction=1.0)
    algorithm.agent.clear_z(3)
    paths = algorithm.sampler.obtain_paths([0, 1, 2])
    for path in paths:
        assert len(path["rewards"]) == 4  # and not max_path_length, 10
        assert not path["terminals"].any()
        assert path["timeouts"][:, 0].tolist() == [False, False, False, True]
    algorithm.train()
    assert relabeling.statistics["relabel/paths relabeled"] > 0


def test_the_checker_says_what_it_checked():
    report = check_hindsight_env(Thermostat(hours=6), remake=lambda: Thermostat(hours=6))
    assert (report.name, report.tasks, report.episodes, report.steps) == ("Thermostat", 5, 5, 30)
    text = str(report)
    assert "Gymnasium's, through the adapter" in text
    assert "a truncation is no terminal (5 of 5 episodes were truncated)" in text
    assert text.count("\n  ok: ") == len(report.checked)
    own = str(check_hindsight_env(make_env("sparse-point-robot", n_tasks=3)))
    assert "sparse rewards" in own
    assert "truncation" not in own
    assert "same tasks" not in own


class TruncationAsTerminal(Thermostat):
    """Hindsight that takes the time limit for a terminal."""

    def compute_rewards(self, path, tasks):
        result = super().compute_rewards(path, tasks)
        ended = np.array(result.terminals)
        ended[:, -1] = True
        return result._replace(terminals=ended)


def test_the_checker_refuses_hindsight_that_terminates_at_a_truncation():
    with pytest.raises(HindsightEnvError, match="round trip: step 7 gave the terminal False"):
        check_hindsight_env(TruncationAsTerminal())
    with pytest.raises(HindsightEnvError, match="PendulumEnv has no reset_task"):
        check_hindsight_env(gymnasium.make("Pendulum-v1"))


def test_a_registered_gymnasium_class_is_adapted(monkeypatch):
    monkeypatch.setattr("env_wrappers.registry.ENVIRONMENTS", dict(ENVIRONMENTS))
    register_env("thermostat", Thermostat)
    assert isinstance(make_env("thermostat"), GymnasiumAdapter)


def test_pictures_of_what_has_no_features_are_refused_in_a_line(tmp_path, capsys):
    name = "examples.gymnasium_thermostat:Thermostat"
    run = tmp_path / "run"
    assert train.main(["--env", name, "--set", "num_iterations=1", "--run-dir", str(run)]) == 0
    assert watch.main(["--run", str(run)]) == 0
    told = capsys.readouterr()
    assert "trajectory 1, exploring: return" in told.out
    assert (
        told.err
        == "no picture: it needs the task vectors and features of a HindsightEnv; see docs/environments.md\n"
    )
    assert show_env.main(["--env", name, "--out", str(tmp_path / "out")]) == 2
    assert f"error: {name} is no HindsightEnv" in capsys.readouterr().err
