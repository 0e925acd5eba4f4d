"""HFR's eq. 4: the utility that is earned in the simulator, in a world where it is known."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from rlkit_hfr import attach
from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.scoring.rollouts import rollout_utilities


class Steps:
    """Task psi pays psi times the action, and an episode of a negative task ends with its second step. The
    first observation is drawn from the environment's generator."""

    def reset_task(self, task):
        self.task, self.time = task, 0

    def reset(self):
        return np.array([self.rng.normal()])

    def seed(self, seed):
        self.rng = np.random.default_rng(seed)

    def step(self, action):
        self.time += 1
        return np.zeros(1), self.task * float(action[0]), self.task < 0 and self.time == 2, {}


@pytest.mark.parametrize("rollouts", [1, 3])
def test_it_is_the_discounted_return_of_what_the_policy_does_with_each_latent(rollouts):
    env = Steps()
    env.seed(0)
    asked = []

    def act(obs, z):
        asked.append(obs.shape)
        return z

    z = torch.tensor([[[1.0], [2.0]], [[-3.0], [0.5]]])  # (N, K, Z)
    utilities = rollout_utilities(env, [10, -1], z, act, 0.5, 4, rollouts)
    whole, cut = 1.0 + 0.5 + 0.25 + 0.125, 1.0 + 0.5
    np.testing.assert_allclose(utilities, [[10.0 * whole, -2.0 * cut], [-30.0 * whole, -0.5 * cut]])
    assert len(asked) == rollouts * 2 * (4 + 2)
    assert set(asked) == {(1, 1)}


def test_more_rollouts_are_a_mean_over_more_episodes():
    env = Steps()
    env.seed(0)
    first = {}

    def act(obs, z):  # what the first observation was, in the first step alone
        first[len(first)] = obs
        return obs

    z = torch.zeros(1, 1, 1)
    spread = {
        number: np.std([float(rollout_utilities(env, [1], z, act, 0.0, 1, number)) for _ in range(200)])
        for number in (1, 25)
    }
    assert spread[1] == pytest.approx(1.0, abs=0.15)
    assert spread[25] == pytest.approx(0.2, abs=0.04)


def _state(algorithm):
    env = algorithm.env
    return copy.deepcopy(
        (env._rng.bit_generator.state, env._task_idx, env._state, torch.get_rng_state().numpy())
    )


def test_hfr_by_rollouts_follows_the_simulator_in_the_critics_units_and_leaves_the_host_alone(
    make_algorithm, monkeypatch
):
    algorithm = make_algorithm("point-robot", reward_scale=7.0)
    options = dict(utility="rollouts", num_rollouts=40, latent="mean", normaliser="off", temperature=1.0)
    relabeling = attach(algorithm, "hfr", seed=0, **options)
    for task in algorithm.train_tasks:
        algorithm.collect_data([task], 20)
    algorithm.agent.clear_z()
    paths = algorithm.sampler.obtain_paths(algorithm.train_tasks[:1])
    scorer, before = relabeling.scorer, _state(algorithm)
    monkeypatch.setattr(type(scorer.networks), "action", lambda self, obs, z, noise: -obs)
    with scorer.networks.isolated():
        utilities = relabeling.relabeler.utilities(paths, scorer)
        (decision,) = relabeling.relabeler.decide(paths, [0], scorer, np.random.default_rng(0))
    np.testing.assert_equal(_state(algorithm), before)
    # the point goes towards the middle from wherever it began, which costs |psi| a step or somewhat more
    norms = np.linalg.norm(algorithm.env.tasks[algorithm.train_tasks], axis=1)
    weights = 7.0 * sum(algorithm.discount**t for t in range(algorithm.max_path_length))
    assert np.corrcoef(-norms, utilities[0])[0, 1] > 0.8
    assert (utilities.numpy() / weights > -norms - 1.0).all()
    assert decision.probs.sum() == pytest.approx(1.0)
    critic = make_relabeler("hfr", latent="mean", normaliser="off")
    with scorer.networks.isolated():
        assert (critic.utilities(paths, scorer) - utilities).abs().max() > 1.0


def test_what_can_not_be_simulated_is_refused(make_algorithm):
    algorithm = make_algorithm("point-robot", num_iterations=1)
    attach(algorithm, "hfr", utility="rollouts", relabel_fraction=1.0, seed=0)
    del algorithm.max_path_length
    with pytest.raises(ValueError, match="without max_path_length.*utility='critic'"):
        algorithm.enc_replay_buffer._router.scorer.networks.simulator()
    for bad in ({"utility": "true"}, {"num_rollouts": 0}, {"num_rollouts": 3}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            make_relabeler("hfr", **bad)
