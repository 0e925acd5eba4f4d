"""HIPI's algorithm 1 on a batch, against loops over its transitions and tasks; HTR on single transitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from env_wrappers import make_env
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory

TASKS = [10, 20, 30]


class Networks:
    """z_psi is what psi's own context was paid. Q = z_psi a, plus 50 for task 30, whose z is 3."""

    device = torch.device("cpu")
    reward_scale, discount, sparse_rewards, context_batch_size = 2.0, 0.9, False, 4
    layout = ContextLayout(obs_dim=2, action_dim=2)

    def posterior(self, context, mask):
        mean = context[..., 4].mean(dim=1, keepdim=True)
        return mean, torch.full_like(mean, 0.25)

    def critics(self, obs, action, z):
        q = z * action[:, :1] + torch.where(z > 2.5, 50.0, 0.0)
        return q, q + 1.0


@pytest.fixture
def scorer():
    memory = TaskMemory(TASKS, 1, 1, np.random.default_rng(0))
    for task, paid in zip(TASKS, (1.0, 2.0, 3.0), strict=True):
        memory.add(task, np.full((3, 5), paid, np.float32), np.zeros(2, np.float32))
    return Scorer(Networks(), memory, Hindsight(pytest.fail), TASKS, np.random.SeedSequence(0))


def _rows(actions):
    actions = np.stack([actions, np.zeros_like(actions)], axis=1).astype(np.float32)
    return {"observations": np.zeros_like(actions), "actions": actions}


def _slow(actions, zs, temperature):
    """q(psi | s, a) transition by transition, log Z over the column of the batch."""
    scores = [[z * a + (50.0 if z > 2.5 else 0.0) for z in zs] for a in actions]
    log_z = [
        temperature * math.log(sum(math.exp(row[k] / temperature) for row in scores) / len(scores))
        for k in range(len(zs))
    ]
    probs = []
    for row in scores:
        weights = [math.exp((row[k] - log_z[k]) / temperature) for k in range(len(zs))]
        probs.append([w / sum(weights) for w in weights])
    return np.array(probs), np.array(log_z)


@pytest.mark.parametrize("temperature", [1.0, 4.0, None])
def test_hipi_equals_algorithm_1_over_the_batch(scorer, temperature):
    actions = np.array([-0.9, -0.2, 0.1, 0.4, 0.8])
    relabeler = make_relabeler("hipi-sampling", temperature=temperature, latent="mean")
    chosen = [20, 30]  # the tasks of the batch, of which 30 pays 50 more in general
    scores = relabeler.score_batch(_rows(actions), np.zeros(5, int), chosen, scorer)
    probs, log_z = _slow(actions, (2.0, 3.0), 0.3 * 2.0 if temperature is None else temperature)
    np.testing.assert_allclose(scores.probs, probs, atol=1e-4)
    np.testing.assert_allclose(scores.log_partition, log_z, rtol=1e-5)
    assert 0.2 < probs[:, 1].mean() < 0.8  # its log Z takes the 50 off again
    alone, _ = _slow(actions, (2.0, 3.0), 100.0)
    assert np.abs(scores.probs - alone).max() > 1e-3  # another temperature would be noticed


def test_a_sample_of_z_is_drawn_for_every_batch_and_the_mean_is_none(scorer):
    rows = _rows(np.array([-0.5, 0.5]))

    def drawn(latent):
        relabeler = make_relabeler("hipi-sampling", latent=latent)
        return [relabeler.score_batch(rows, np.zeros(2, int), TASKS, scorer).scores for _ in range(2)]

    first, second = drawn("mean")
    np.testing.assert_array_equal(first, second)
    first, second = drawn("sample")
    assert np.abs(first - second).max() > 1e-3


def test_htr_looks_at_each_transition_by_itself():
    env = make_env("sparse-point-robot", n_tasks=3)
    env.tasks = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    networks = Networks()
    networks.sparse_rewards = True
    scorer = Scorer(
        networks, None, Hindsight(env.compute_rewards, env.goal_distances), [0, 1, 2],
        np.random.SeedSequence(0),
    )  # fmt: skip
    points = np.array([[1.0, 0.1], [0.0, 0.9], [0.2, 0.2]], np.float32)
    rows = {**_rows(np.zeros(3)), "rewards": np.zeros((3, 1)), "env_infos": {"achieved": points}}
    for options in ({}, {"threshold": 0.0}):
        scores = make_relabeler("htr-sampling", **options).score_batch(
            rows, np.array([1, 1, 1]), [0, 1], scorer
        )
        np.testing.assert_array_equal(scores.probs, [[1, 0], [0, 1], [0, 1]])  # the last one stays
    unreachable = make_relabeler("htr-sampling", threshold=0.95)
    np.testing.assert_array_equal(
        unreachable.score_batch(rows, np.array([1, 1, 1]), [0, 1], scorer).probs, [[0, 1]] * 3
    )


def test_paths_stay_and_options_are_checked(scorer, make_path):
    for name in ("hipi-sampling", "htr-sampling"):
        decisions = make_relabeler(name).decide(
            [make_path(), make_path()], [20, 10], scorer, np.random.default_rng(0)
        )
        assert [decision.tasks for decision in decisions] == [20, 10]
    for name, bad in (
        ("hipi-sampling", {"temperature": -1.0}),
        ("hipi-sampling", {"latent": "mode"}),
        ("htr-sampling", {"threshold": True}),
    ):
        with pytest.raises(ValueError, match=next(iter(bad))):
            make_relabeler(name, **bad)
