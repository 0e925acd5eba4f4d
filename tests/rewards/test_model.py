"""A model as the reward source: it tells tasks apart by their data alone, its own or MIER's."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from taught_rewards import paid, teach

from rlkit_hfr import attach
from rlkit_hfr.context_model import InnerSteps
from rlkit_hfr.rewards.model import ModelReward
from rlkit_hfr.rewards.resolve import resolve_hindsight

GOALS = dict(enumerate(np.linspace(-1, 1, 5)))


def test_it_infers_what_each_task_pays_from_its_data(make_path):
    model = ModelReward(list(GOALS), None, seed=0)
    teach(model, GOALS, make_path, 2, 40)
    path = make_path(50, seed=99_999)
    predicted = model.rewards(path, list(GOALS))
    truth = np.stack([paid(path, goal)[:, 0] for goal in GOALS.values()])
    assert predicted.rewards.shape == (5, 50)
    assert not predicted.terminals.any()
    error = np.sqrt(np.mean((predicted.rewards - truth) ** 2))
    shuffled = np.sqrt(np.mean((predicted.rewards[::-1] - truth) ** 2))
    assert error < 0.4 < truth.std()
    assert shuffled > 2 * error  # the task matters
    some = model.rewards(path, [3, 1])
    np.testing.assert_allclose(some.rewards, predicted.rewards[[3, 1]], atol=1e-5)


def test_its_error_is_measured_before_it_has_seen_a_path(make_path):
    model = ModelReward(list(GOALS), None, seed=0, fit_steps=2)
    assert model.observe([make_path(20, seed=1)], 0).size == 0
    model.fit()
    new = {**make_path(20, seed=2), "rewards": np.full((20, 1), 50.0, np.float32)}
    expected = np.square(model.rewards(new, [3]).rewards[0] - 50.0)
    np.testing.assert_allclose(model.observe([new], 3), expected, rtol=1e-5)


def test_sparse_rewards_are_learned_beside_the_dense(make_path):
    model = ModelReward(list(GOALS), None, seed=0)
    teach(model, GOALS, make_path, 2, 40, env_infos={"sparse_reward": np.full(40, 3.0)})
    result = model.rewards(make_path(5, seed=1), [0, 1])
    np.testing.assert_allclose(result.sparse_rewards, 3.0, atol=0.3)


def test_no_global_generator_moves_and_a_restored_model_goes_on_alike(make_path, monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first, second = (ModelReward(list(GOALS), None, seed=seed, fit_steps=3) for seed in (0, 1))
    second.load_state_dict(first.state_dict())  # of nothing
    teach(first, GOALS, make_path, 2, 40)
    second.load_state_dict(first.state_dict())
    probe = make_path()
    np.testing.assert_array_equal(*(m.rewards(probe, list(GOALS)).rewards for m in (first, second)))
    for model in (first, second):
        model.fit()
    np.testing.assert_array_equal(*(m.rewards(probe, list(GOALS)).rewards for m in (first, second)))
    assert seeded == []
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])


class Certain(torch.nn.Module):
    """An algorithm's model: a reward of phi, which one inner step sets to the mean reward."""

    class layout:
        with_next_obs = False

    def __init__(self):
        super().__init__()
        self.phi = torch.nn.Parameter(torch.zeros(1))
        self.standardised = False

    def nll(self, inputs, targets, phi, mask=None):
        return 0.5 * (targets - phi.unsqueeze(-2)).square().mean(dim=-2).sum(dim=-1)

    def predict(self, inputs, phi):
        mean = phi.unsqueeze(-2).expand(*inputs.shape[:-1], 1)
        return mean, torch.zeros_like(mean)


def test_an_algorithms_own_model_adapts_and_is_not_trained(make_path):
    own = Certain()
    model = ModelReward([0, 1], None, 0, own_model=(own, InnerSteps(steps=1, learning_rate=1.0)))
    for task, reward in ((0, 2.0), (1, -3.0)):
        model.observe([{**make_path(), "rewards": np.full((5, 1), reward, np.float32)}], task)
    model.fit()
    rewards = model.rewards(make_path(), [1, 0]).rewards
    np.testing.assert_allclose(rewards, [[-3.0] * 5, [2.0] * 5], atol=1e-6)
    assert own.phi.item() == 0.0
    assert model.observe([make_path()], 0).size == 0  # it was never trained
    own.standardised = True
    assert model.observe([make_path()], 0).size == 0  # until the next iteration's fit
    model.fit()
    assert model.observe([make_path()], 0).size == 5
    later = ModelReward([0, 1], None, 0, own_model=(own, InnerSteps(steps=1, learning_rate=1.0)))
    later.observe([make_path()], 0)
    assert later.ready  # before any fit of its own


def test_an_algorithms_own_model_of_the_dynamics_is_given_differences_of_observations(make_path):
    class Dynamics(Certain):
        class layout:
            with_next_obs = True

        def nll(self, inputs, targets, phi, mask=None):
            self.targets = targets
            return 0.5 * (targets[..., -1:] - phi.unsqueeze(-2)).square().mean(dim=-2).sum(dim=-1)

    own, path = Dynamics(), make_path()
    path["next_observations"] = path["observations"] + np.float32(0.5)
    model = ModelReward([0], None, 0, own_model=(own, InnerSteps(steps=1, learning_rate=1.0)))
    model.observe([{**path, "rewards": np.full((5, 1), 2.0, np.float32)}], 0)
    model.fit()
    differences, rewards = own.targets[..., :-1], own.targets[..., -1]
    assert differences.shape[-1] == path["observations"].shape[1]
    torch.testing.assert_close(differences, torch.full_like(differences, 0.5))
    assert (rewards == 2.0).all()


def test_terminals_are_the_environments(make_path):
    from env_wrappers import make_env

    hindsight = resolve_hindsight(make_env("four-corners"), [0, 1, 2, 3], "model", 0)
    assert isinstance(hindsight.learner, ModelReward)
    at_corner = np.tile(np.float32([1.0, 1.0]), (6, 1))
    path = make_path(6, env_infos={"achieved": at_corner})
    hindsight.learner.observe([path], 0)
    terminals = hindsight.rewards(path, [0, 1]).terminals
    assert terminals[0].all()
    assert not terminals[1].any()


@pytest.mark.parametrize("name", ["hfr", "air"])
def test_a_run_of_pearl_with_a_model_relabels_and_logs_its_error(make_algorithm, name):
    rows = []
    algorithm = make_algorithm("point-robot", num_iterations=2)
    algorithm.on_epoch_end = rows.append
    attach(algorithm, name, rewards="model", relabel_fraction=1.0, seed=0)
    algorithm.train()
    assert rows[-1]["relabel/paths relabeled"] > 0
    assert 0.0 < rows[-1]["relabel/learned reward RMSE"] < 2.0


def test_without_relabeling_a_model_changes_nothing(make_algorithm):
    logs = []
    for modelled in (False, True):
        algorithm, rows = make_algorithm("point-robot"), []
        algorithm.on_epoch_end = rows.append
        if modelled:
            attach(algorithm, "hfr", rewards="model", relabel_fraction=0.0, seed=0)
        algorithm.train()
        logs.append([
            {k: v for k, v in row.items() if "(s)" not in k and not k.startswith("relabel/")} for row in rows
        ])  # fmt: skip
    np.testing.assert_equal(*logs)


def test_without_those_of_an_environment_terminals_are_the_paths_own(make_path):
    model = ModelReward(list(GOALS), None, seed=0, fit_steps=1)
    teach(model, GOALS, make_path, 1, 4)
    path = {**make_path(4), "terminals": np.array([[0], [0], [0], [1]])}
    terminals = model.rewards(path, [0, 1]).terminals
    assert terminals.dtype == bool
    assert terminals.tolist() == [[False, False, False, True]] * 2
