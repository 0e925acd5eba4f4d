"""HIPI-BC: labels whose answer is known, a policy that learns what it is shown, studies that go on."""

from __future__ import annotations

import dataclasses
import json
import os
import re

import numpy as np
import pytest
import torch
from tiny_runs import assignments, options

from env_wrappers import make_env
from rlkit_hfr.experiments.cloning import study as studies
from rlkit_hfr.experiments.cloning.demonstrations import Demonstrations, ScriptedAgent, of_agent, scripted
from rlkit_hfr.experiments.cloning.labels import Labelled, label
from rlkit_hfr.experiments.cloning.learner import CloningSettings, clone, transitions
from rlkit_hfr.experiments.cloning.study import Study, interval, run_study, table
from rlkit_hfr.experiments.commands import hipi_bc, train

RIGHT, TOP, LEFT = 0, 1, 2
TASKS = [RIGHT, TOP, LEFT]


@pytest.fixture
def env():
    env = make_env("sparse-point-robot", n_tasks=3)
    env.tasks = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    return env


def _shown(env, *goals):
    """A noiseless demonstration of each goal, a point that need not be a task's."""
    tasks = env.tasks
    env.tasks = np.array(goals, np.float64)
    shown = [scripted(env, [i], 1, 20, 0.0, 0).paths[0] for i in range(len(goals))]
    env.tasks = tasks
    return Demonstrations(shown, np.arange(len(goals)), {}, None)


def _labels(env, shown, name, seed=0, **options):
    return [each.task for each in label(shown, env, TASKS, name, options, True, seed)]


@pytest.mark.parametrize("name", ["final-state", "htr", "hipi-trajectory", "return"])
def test_a_demonstration_is_labelled_with_the_task_that_it_solves(env, name):
    shown = _shown(env, (0.0, 1.0), (1.0, 0.0), (-0.95, 0.1), (1.0, 0.0))
    assert _labels(env, shown, name) == [TOP, RIGHT, LEFT, RIGHT]


def test_what_solves_nothing_gets_a_random_label_and_never_the_true_one_by_right(env):
    shown = _shown(env, (0.4, 0.4))
    for name in ("none", "final-state", "htr"):
        given = [_labels(env, shown, name, seed)[0] for seed in range(60)]
        assert set(given) == set(TASKS)
    assert _labels(env, shown, "true") == [RIGHT]  # the first of the goals shown
    assert _labels(env, shown, "agnostic") == [None]


def test_transitions_may_be_labelled_one_by_one(env):
    shown = _shown(env, (0.0, 1.0))
    labelled = label(shown, env, TASKS, "future-state", {}, True, 3)
    steps = sum(each.steps.astype(int) for each in labelled)
    np.testing.assert_array_equal(steps, 1)  # each step has one label
    assert {each.task for each in labelled} >= {TOP}


def test_a_bias_on_one_task_takes_every_label_unless_log_z_takes_it_off(env):
    """HIPI figure 8."""
    shown = _shown(env, *[(np.cos(a), np.sin(a)) for a in np.linspace(0.0, np.pi, 12)])
    plain = env.compute_rewards

    def biased(path, tasks):
        rewards = plain(path, tasks)
        rewards.sparse_rewards[np.asarray(tasks) == LEFT] += 3.0
        return rewards

    expected = _labels(env, shown, "hipi-trajectory")
    env.compute_rewards = biased
    assert _labels(env, shown, "hipi-trajectory") == expected
    assert len(set(expected)) == 3
    assert set(_labels(env, shown, "hipi-trajectory", normaliser="off")) == {LEFT}
    assert set(_labels(env, shown, "return")) == {LEFT}


def test_labellers_that_ask_for_an_agent_are_refused_without_one(env):
    with pytest.raises(ValueError, match="'hfr' asks for the networks of an agent.*--run"):
        _labels(env, _shown(env, (0.0, 1.0)), "hfr")
    with pytest.raises(ValueError, match="needs goals"):
        label(_shown(env, (0.0, 1.0)), make_env("point-robot", n_tasks=3), TASKS, "htr", {}, False, 0)


def _world(rng, number=40, told=True):
    """Paths whose action is the first number of their task vector times the observation."""
    vectors = rng.uniform(-1, 1, (number, 2))
    labelled = []
    for i, vector in enumerate(vectors):
        obs = 3.0 + 2.0 * rng.normal(size=(25, 1)).astype(np.float32)
        path = dict(observations=obs, actions=(0.1 * vector[0] * obs).astype(np.float32))
        labelled.append(Labelled(path, np.ones(25, bool), i if told else None))
    return labelled, vectors


def test_the_policy_learns_what_it_is_shown_and_needs_the_task_for_it():
    settings = CloningSettings(hidden_size=64, learning_rate=3e-3, max_epochs=60)
    told, vectors = _world(np.random.default_rng(0))
    policy, errors = clone(told, vectors, 0, settings)
    _, blind = clone(_world(np.random.default_rng(0), told=False)[0], vectors, 0, settings)
    assert min(errors) < 0.1 < 0.5 < min(blind)  # of actions with a variance of one
    policy.z = torch.tensor([[0.5, 0.0], [-0.5, 0.0]])
    actions = policy.get_actions(np.array([[4.0], [4.0]]))
    np.testing.assert_allclose(actions[:, 0], [0.2, -0.2], atol=0.06)
    policy.z = torch.tensor([[50.0, 0.0]])
    assert policy.get_actions(np.array([[4.0]]))[0, 0] == 1.0  # actions are bounded


def test_training_stops_after_the_epochs_without_progress_and_keeps_the_best():
    labelled, vectors = _world(np.random.default_rng(1), number=12)
    for patience in (1, 3):
        settings = CloningSettings(hidden_size=32, learning_rate=0.05, patience=patience, max_epochs=500)
        policy, errors = clone(labelled, vectors, 0, settings)
        assert len(errors) - 1 - int(np.argmin(errors)) == patience
        obs, tasks, actions, owner = transitions(labelled, vectors)
        order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
        held_out = torch.isin(owner, order[:1])
        mean, deviation = policy.get_buffer("action_scale")
        target = (actions - mean) / deviation
        with torch.no_grad():
            error = (policy(obs, tasks) - target)[held_out].square().mean()
        assert float(error) == pytest.approx(min(errors), rel=1e-5)
    capped = CloningSettings(hidden_size=32, max_epochs=2)
    assert len(clone(labelled, vectors, 0, capped)[1]) == 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("point-robot", {}),
        ("sparse-point-robot", {}),
        ("sawyer-reach", {}),
        ("sawyer-reach", {"obs_unit": 0.1}),
        ("sawyer-reach", {"obs_dim": 39}),
    ],
)
def test_the_scripted_expert_solves_its_tasks_and_noise_is_noise(name, options):
    env = make_env(name, n_tasks=3, seed=0, **options)
    for path, task in zip(*scripted(env, [0, 1, 2], 3, 60, 0.0, 0)[:2], strict=True):
        achieved = path["env_infos"]["achieved"][-1]
        assert np.linalg.norm(achieved - env.tasks[task]) < 0.06
    rng = np.random.default_rng(0)
    agent = ScriptedAgent(make_env("point-robot", n_tasks=1), 0.2, rng)
    spread = agent.get_actions(np.zeros((4000, 2)))  # z is zero: the goal is where it stands
    assert spread.std() == pytest.approx(0.2, abs=0.01)
    with pytest.raises(ValueError, match="Ant.* has no scripted expert"):
        scripted(make_env("ant-dir"), [0], 1, 5, 0.0, 0)


SMALL = Study(
    env="sparse-point-robot",
    labellers=("random", "hipi-trajectory"),
    seeds=2,
    demonstrations=60,
    episodes=20,
    noise=0.1,
    assignments=("n_train_tasks=4", "n_eval_tasks=2"),
    cloning=CloningSettings(hidden_size=64, learning_rate=3e-3, max_epochs=40),
)


def _files(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_study_that_was_killed_goes_on_bit_for_bit_and_inverse_rl_beats_random(
    tmp_path, monkeypatch, kill_in_call
):
    made = []

    def recorded(*args):
        """Clones, and writes the weights down under the error that the policy's result has."""
        policy, errors = clone(*args)
        weights = torch.cat([weight.flatten() for weight in policy.state_dict().values()])
        place = tmp_path / f"weights of {study}"
        place.mkdir(exist_ok=True)
        (place / repr(min(errors))).write_bytes(weights.numpy().tobytes())
        made.append(study)
        return policy, errors

    monkeypatch.setattr(studies, "clone", recorded)
    study = "whole"
    results = run_study(SMALL, tmp_path / study)
    returns = {name: [r["return"] for r in results if r["labeller"] == name] for name in SMALL.labellers}
    assert min(returns["hipi-trajectory"]) > max(returns["random"])

    study = "killed"
    torch.manual_seed(99)  # a new process begins with other draws
    # in a gradient step of the second policy
    steps = 10 + 5 * results[0]["epochs"]
    kill_in_call(lambda: run_study(SMALL, tmp_path / study), torch.optim.Adam, "step", steps)
    assert [file.name for file in (tmp_path / study).glob("*-s-*")] == ["random-s-0.json"]
    run_study(SMALL, tmp_path / study)
    assert made == ["whole"] * 4 + ["killed"] * 3  # what was done was not done again
    assert _files(tmp_path / "killed") == _files(tmp_path / "whole")
    weights = _files(tmp_path / "weights of whole")
    assert len(weights) == 4
    assert _files(tmp_path / "weights of killed") == weights
    with pytest.raises(ValueError, match="other settings"):
        run_study(Study(env="point-robot"), tmp_path / "whole")


def test_the_table_ranks_by_return_with_intervals_over_seeds():
    rows = [
        dict(labeller=name, seed=seed, success=None, true_labels=None, return_under_label=None, epochs=5)
        | {"return": value + seed}
        for name, value in (("random", 0.0), ("best", 10.0), ("same", 0.0))
        for seed in range(2)
    ]
    lines = table(rows).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["`best`", "`random`", "`same`"]
    assert "| 10.5 | [10, 11] | – | 1.00 |" in lines[2]
    assert "| 0.50 |" in lines[4]
    assert interval(np.array([3.0, 3.0])) == (3.0, 3.0)


def test_the_demonstrations_of_a_trained_agent_and_labellers_that_ask_it(tmp_path, capsys):
    tiny = assignments(
        num_iterations=1, num_train_steps_per_itr=2, num_steps_per_eval=60, num_exp_traj_eval=1
    )
    run = tmp_path / "run"
    assert train.main(["--env", "sparse-point-robot", "--run-dir", str(run), *options(tiny)]) == 0
    shown = of_agent(run, 5, 0)
    assert len(shown.paths) == len(shown.tasks) == 5
    assert {len(paths) % 2 for paths in shown.exploring.values()} == {0}  # two of three of an adaptation
    again = of_agent(run, 5, 0)
    np.testing.assert_array_equal(again.paths[3]["actions"], shown.paths[3]["actions"])
    arguments = ["--run", str(run), "--labellers", "hfr", "hipi", "cds", "air", "--seeds", "1",
                 "--demonstrations", "8", "--episodes", "4", "--output", str(tmp_path / "out"),
                 "--option", "num_initial_states=4"]  # fmt: skip
    assert hipi_bc.main(arguments) == 0
    assert "| `hfr` |" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "study.json").read_text())["options"] == {"num_initial_states": 4}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --env NAME"),
        (["--env", "point-robot", "--run", "x"], "leave out --env"),
        (["--env", "point-robot", "--seeds", "0"], "--seeds must be from 1 to"),
        (["--env", "point-robot", "--episodes", str(2**63)], "--episodes must be from 1 to"),
        (["--env", "nope"], "unknown environment 'nope'"),
        (["--env", "point-robot", "--set", "n_train_tasks=0"], "n_train_tasks"),
        (["--env", "cheetah-vel"], "has no scripted expert"),
        (["--env", "point-robot", "--labellers", "hipii"], "did you mean 'hipi'"),
        (["--env", "point-robot", "--option", "tempo=1"], "no labeller of .* has an option 'tempo'"),
        (["--env", "point-robot", "--noise", "-1"], "--noise must be zero or more"),
        (["--run", "nowhere"], "nowhere"),
    ],
)
def test_what_it_cannot_do_is_one_line(tmp_path, capsys, arguments, message):
    assert hipi_bc.main([*arguments, "--output", str(tmp_path / "a" / "b")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1
    assert re.search(message, error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("labeller", ["hfr", "htr"])
@pytest.mark.parametrize("where", ["new/deep", "theirs"])
def test_a_labeller_that_can_not_label_leaves_nothing(tmp_path, capsys, labeller, where):
    """Also where another one could, and stands before it."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "notes.txt").write_text("precious")
    before = sorted(map(str, tmp_path.rglob("*")))
    small = ["--seeds", "1", "--demonstrations", "3", "--episodes", "2"]
    arguments = ["--env", "point-robot", "--labellers", "true", labeller, *small]
    assert hipi_bc.main([*arguments, "--output", str(tmp_path / where)]) == 2
    assert f"labeller {labeller!r}" in capsys.readouterr().err
    assert sorted(map(str, tmp_path.rglob("*"))) == before


def test_files_of_others_that_a_study_would_write_are_left_alone(tmp_path, capsys):
    (tmp_path / "table.md").write_text("precious")
    assert hipi_bc.main(["--env", "point-robot", "--output", str(tmp_path)]) == 2
    assert "holds table.md and no study.json" in capsys.readouterr().err
    assert _files(tmp_path) == {"table.md": b"precious"}


@pytest.mark.parametrize("option", ["num_partition_samples=10000000", "temperature=NaN", "temperature"])
def test_options_are_checked_like_those_of_a_run(tmp_path, capsys, option):
    arguments = ["--env", "point-robot", "--labellers", "hipi-trajectory", "--option", option]
    assert hipi_bc.main([*arguments, "--output", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err
    assert option.partition("=")[0] in error
    assert "--set" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_result_that_was_edited_is_refused(tmp_path, capsys):
    arguments = ["--env", "point-robot", "--labellers", "true", "--seeds", "1", "--demonstrations", "3",
                 "--episodes", "2", "--output", str(tmp_path)]  # fmt: skip
    assert hipi_bc.main(arguments) == 0
    assert hipi_bc.main(arguments) == 0
    file = tmp_path / "true-s-0.json"
    result = json.loads(file.read_text())
    capsys.readouterr()
    for changes in ({"return": result["return"] + 1.0}, {"seed": 1}, {"labeller": "random"}, {"more": 1}):
        file.write_text(json.dumps({**result, **changes}))
        assert hipi_bc.main(arguments) == 2
        assert "true-s-0.json is not as the study wrote it" in capsys.readouterr().err
    del result["sha256"]  # as those of before the checksum are
    file.write_text(json.dumps(result))
    assert hipi_bc.main(arguments) == 0


@pytest.mark.parametrize("name", ["study.json", "true-s-0.json"])
@pytest.mark.parametrize("content", ["{", "[1]", "{}", '{"labeller": "true", "return": "<script>"}', None])
def test_a_damaged_file_of_a_study_is_named(tmp_path, capsys, name, content):
    arguments = ["--env", "point-robot", "--labellers", "true", "--seeds", "1", "--output", str(tmp_path)]
    settings = dataclasses.asdict(Study(env="point-robot", labellers=("true",), seeds=1))
    (tmp_path / "study.json").write_text(json.dumps(settings, default=list))
    (tmp_path / name).unlink(missing_ok=True)
    if content is None:
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).write_text(content)
    before = sorted(os.listdir(tmp_path))
    assert hipi_bc.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1
    assert name in error
    assert sorted(os.listdir(tmp_path)) == before
