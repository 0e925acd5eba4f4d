"""A learned reward: it learns what can be known, says how wrong it is, and disturbs nothing."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from taught_rewards import paid, teach

from env_wrappers import make_env
from rlkit_hfr import attach
from rlkit_hfr.replay_buffer import SimpleReplayBuffer
from rlkit_hfr.rewards.learned import LearnedReward
from rlkit_hfr.rewards.resolve import resolve_hindsight

GOALS = {task: np.array([goal], np.float32) for task, goal in enumerate(np.linspace(-1, 1, 8))}


def test_it_learns_rewards_of_state_action_and_task(make_path):
    model = LearnedReward(GOALS, None, seed=0)
    teach(model, GOALS, make_path, 20, 20)
    path = make_path(50, seed=99_999)
    predicted = model.rewards(path, list(GOALS))
    truth = np.stack([paid(path, goal)[:, 0] for goal in GOALS.values()])
    assert predicted.rewards.shape == (8, 50)
    assert not predicted.terminals.any()
    assert predicted.sparse_rewards is None
    error = np.sqrt(np.mean((predicted.rewards - truth) ** 2))
    assert error < 0.2 < 0.5 < truth.std()
    shuffled = np.sqrt(np.mean((predicted.rewards[::-1] - truth) ** 2))
    assert shuffled > 3 * error  # the task matters


def test_its_error_is_measured_before_it_has_seen_a_path(make_path):
    model = LearnedReward(GOALS, None, seed=0)
    path = make_path(20, seed=1)
    assert model.observe([path], 0).size == 0  # nothing is known yet
    model.fit()
    new = {**make_path(20, seed=2), "rewards": np.full((20, 1), 50.0, np.float32)}
    expected = np.square(model.rewards(new, [3]).rewards[0] - 50.0)
    np.testing.assert_allclose(model.observe([new], 3), expected, rtol=1e-5)


def test_the_units_and_the_origins_of_rewards_and_observations_are_taken_out(make_path):
    """Rewards in another unit, from far away: the same network learns the same."""
    plain, moved = LearnedReward(GOALS, None, seed=0), LearnedReward(GOALS, None, seed=0)
    for i in range(5):
        for task, goal in GOALS.items():
            path = make_path(20, seed=100 * i + task)
            earned = paid(path, goal)
            plain.observe([{**path, "rewards": earned, "env_infos": {}}], task)
            far = path["observations"] + np.float32(64.0)
            moved.observe(
                [{**path, "observations": far, "rewards": 500.0 + 3.0 * earned, "env_infos": {}}], task
            )
        plain.fit()
        moved.fit()
    path = make_path(50, seed=99_999)
    far = {**path, "observations": path["observations"] + np.float32(64.0)}
    expected = 500.0 + 3.0 * plain.rewards(path, list(GOALS)).rewards
    np.testing.assert_allclose(moved.rewards(far, list(GOALS)).rewards, expected, atol=0.1)


def test_sparse_rewards_are_learned_beside_the_dense(make_path):
    model = LearnedReward(GOALS, None, seed=0)
    teach(model, GOALS, make_path, 20, 20, env_infos={"sparse_reward": np.full(20, 3.0)})
    result = model.rewards(make_path(5, seed=1), [0, 1])
    np.testing.assert_allclose(result.sparse_rewards, 3.0, atol=0.05)


def test_no_global_generator_moves(make_path, monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    model = LearnedReward(GOALS, None, seed=0)
    teach(model, GOALS, make_path, 2, 20)
    model.rewards(make_path(), [0])
    assert seeded == []
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])


def test_a_restored_model_goes_on_alike(make_path):
    first, second = LearnedReward(GOALS, None, seed=0), LearnedReward(GOALS, None, seed=1)
    second.load_state_dict(first.state_dict())  # of nothing
    teach(first, GOALS, make_path, 3, 20)
    second.load_state_dict(first.state_dict())
    for model in (first, second):
        model.fit()
    np.testing.assert_array_equal(
        *(model.rewards(make_path(), list(GOALS)).rewards for model in (first, second))
    )


def test_terminals_are_the_environments(make_path):
    env = make_env("four-corners")
    hindsight = resolve_hindsight(env, [0, 1, 2, 3], "learned", 0)
    at_corner = np.tile(np.float32([1.0, 1.0]), (6, 1))
    path = make_path(6, env_infos={"achieved": at_corner})
    hindsight.learner.observe([path], 0)
    terminals = hindsight.rewards(path, [0, 1]).terminals
    assert terminals[0].all()
    assert not terminals[1].any()
    assert resolve_hindsight(object(), [0, 1], "learned", 0).rewards is not None


@pytest.mark.parametrize("name", ["hfr", "air"])
def test_a_run_with_a_learned_reward_relabels_and_logs_its_error(make_algorithm, name):
    rows = []
    algorithm = make_algorithm("point-robot", num_iterations=3)
    algorithm.on_epoch_end = rows.append
    relabeling = attach(algorithm, name, rewards="learned", relabel_fraction=1.0, seed=0)
    algorithm.train()
    assert rows[-1]["relabel/paths relabeled"] > 0
    assert 0.0 < rows[-1]["relabel/learned reward RMSE"] < 1.0
    assert relabeling.scorer.learns_rewards


def test_a_method_that_asks_at_the_first_path_is_answered_better_as_the_pool_grows(make_path):
    model = LearnedReward(GOALS, None, seed=0)
    probe = make_path(50, seed=99_999)
    truth = np.stack([paid(probe, goal)[:, 0] for goal in GOALS.values()])
    errors = []
    for task, goal in GOALS.items():  # no update yet, and so no fit but those that are asked for
        path = make_path(40, seed=task)
        model.observe([{**path, "rewards": paid(path, goal), "env_infos": {}}], task)
        errors.append(np.sqrt(np.mean((model.rewards(probe, list(GOALS)).rewards - truth) ** 2)))
    assert errors[-1] < 0.5
    assert errors[-1] < errors[0] / 3


def test_without_relabeling_a_learned_reward_changes_nothing(make_algorithm):
    logs = []
    for learned in (False, True):
        algorithm, rows = make_algorithm("point-robot"), []
        algorithm.on_epoch_end = rows.append
        if learned:
            attach(algorithm, "hfr", rewards="learned", relabel_fraction=0.0, seed=0)
        algorithm.train()
        logs.append(
            [
                {k: v for k, v in row.items() if "(s)" not in k and not k.startswith("relabel/")}
                for row in rows
            ]
        )
    np.testing.assert_equal(*logs)


def rare(path, goal):
    """Sparse rewards (T,): 1 within 0.05 of the goal, on 3 % of the steps of `make_path`; else 0."""
    return (np.abs(path["observations"][:, 0] - goal) < 0.05).astype(np.float32)


def error_where_it_pays(model, make_path):
    """Root mean squared error of the sparse rewards that pay, on paths that the model has not seen."""
    errors = []
    for seed in range(40):
        path = make_path(50, seed=50_000 + seed)
        predicted = model.rewards(path, list(GOALS)).sparse_rewards
        truth = np.stack([rare(path, goal) for goal in GOALS.values()])
        errors.append((predicted - truth)[truth > 0.0])
    return np.sqrt(np.mean(np.square(np.concatenate(errors))))


def test_rows_that_pay_are_not_lost_among_those_that_do_not(make_path, monkeypatch):
    """Rewarded rows have a share of their own in a batch; without it the same steps learn less of them."""

    def taught():
        model = LearnedReward(GOALS, None, seed=0)
        for i in range(4):
            for task, goal in GOALS.items():
                path = make_path(50, seed=100 * i + task)
                info = {"sparse_reward": rare(path, goal)}
                model.observe([{**path, "rewards": paid(path, goal), "env_infos": info}], task)
            model.fit()
        return error_where_it_pays(model, make_path)

    balanced = taught()
    monkeypatch.setattr(SimpleReplayBuffer, "unusual_rows", lambda self: np.zeros(0, int))
    uniform = taught()
    assert balanced < 0.75 * uniform


def test_without_those_of_an_environment_terminals_are_the_paths_own(make_path):
    model = LearnedReward(GOALS, None, seed=0)
    teach(model, GOALS, make_path, 1, 4)
    path = {**make_path(4), "terminals": np.array([[0], [0], [0], [1]])}
    terminals = model.rewards(path, [0, 1]).terminals
    assert terminals.dtype == bool
    assert terminals.tolist() == [[False, False, False, True]] * 2
