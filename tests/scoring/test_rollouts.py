"""HFR's eq. 4: the utility that is earned in the simulator, in a world where it is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("info", [{"truncated": True}, {"TimeLimit.truncated": True}])
def test_an_episode_ends_where_the_environment_cuts_it_short(info):
    class Cut(Steps):
        def step(self, action):
            obs, reward, done, _ = super().step(action)
            return obs, reward, done, info if self.time == 3 else {}

    env = Cut()
    env.seed(0)
    utilities = rollout_utilities(env, [1], torch.ones(1, 1, 1), lambda obs, z: z, 1.0, 10, 1)
    assert utilities.tolist() == [[3.0]]
