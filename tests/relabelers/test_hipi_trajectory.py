"""HIPI on whole trajectories, in closed form."""

from __future__ import annotations

import math

import numpy as np
from weighted_tasks import WEIGHTS, K, SparseNetworks, WeightedNetworks, weighted_rewards, weighted_scorer

from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory


def test_hipi_on_trajectories_closed_form(make_path):
    path = make_path(6)
    returns = [2.0 * float((WEIGHTS[k] @ path["actions"].T).sum()) for k in range(K)]
    # one stored trajectory of three steps per task: log Z is its scaled return
    log_z = [2.0 * 3 * value for value in (0.1, 0.2, 0.3, 0.4)]
    weights = np.exp(np.array(returns) - np.array(log_z))
    relabeler = make_relabeler("hipi-trajectory", normaliser="trajectories", temperature=1.0)
    (decision,) = relabeler.decide([path], [0], weighted_scorer(), np.random.default_rng(0))
    np.testing.assert_allclose(decision.probs, weights / weights.sum(), rtol=1e-4)
    (ablation,) = make_relabeler("hipi-trajectory", normaliser="off", temperature=1.0).decide(
        [path], [0], weighted_scorer(), np.random.default_rng(0)
    )
    plain = np.exp(np.array(returns))
    np.testing.assert_allclose(ablation.probs, plain / plain.sum(), rtol=1e-4)
    assert np.abs(decision.probs - ablation.probs).max() > 0.05


def test_hipi_on_trajectories_takes_the_rewards_that_the_context_sees(make_path):
    path = make_path(6, actions=np.arange(12.0, dtype=np.float32).reshape(6, 2) / 4.0)
    pays = WEIGHTS @ path["actions"].T
    expected = {WeightedNetworks: pays.sum(axis=1), SparseNetworks: (pays > 1.5).sum(axis=1)}
    for networks, returns in expected.items():
        relabeler, scorer = (
            make_relabeler("hipi-trajectory", normaliser="off"),
            weighted_scorer(networks=networks),
        )
        (decision,) = relabeler.decide([path], [0], scorer, np.random.default_rng(0))
        np.testing.assert_allclose(decision.utilities, 2.0 * returns, rtol=1e-5)


def test_hipi_on_trajectories_averages_exponentials_over_trajectories():
    s = weighted_scorer()
    for task in range(K):
        s.memory.add(task, np.full((3, 5), 0.0, np.float32), np.zeros(2, np.float32))
    log_z = make_relabeler(
        "hipi-trajectory", num_partition_samples=2, normaliser="trajectories", temperature=1.0
    ).log_partition(s)
    expected = [math.log((math.exp(6 * value) + 1.0) / 2) for value in (0.1, 0.2, 0.3, 0.4)]
    np.testing.assert_allclose(log_z, expected, rtol=1e-5)


def test_hipi_on_trajectories_finds_the_reward_before_the_next_observation(make_path):
    """With the next observation in the context, the reward is not the last column of a stored row."""

    class WithNextObs(WeightedNetworks):
        layout = ContextLayout(obs_dim=2, action_dim=2, with_next_obs=True)

    memory = TaskMemory(range(K), 5, 1, np.random.default_rng(0))
    for task in range(K):
        rows = np.full((3, 7), 99.0, np.float32)  # observation (2), action (2), reward, next observation (2)
        rows[:, 4] = task
        memory.add(task, rows, np.zeros(2, np.float32))
    s = Scorer(WithNextObs(), memory, Hindsight(weighted_rewards()), range(K), np.random.SeedSequence(0))
    np.testing.assert_allclose(s.sampled_returns("trajectories", 4), np.tile(3.0 * np.arange(K), (4, 1)))
    np.testing.assert_allclose(
        make_relabeler("hipi-trajectory", normaliser="mean").log_partition(s), 2.0 * 3.0 * np.arange(K)
    )
