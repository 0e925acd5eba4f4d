"""HIPI, transition by transition: a loop written from the paper, and what it logs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_formulas import PlainFormulas
from weighted_tasks import K, WeightedNetworks, weighted_scorer

from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.scoring.noise import NormalNoise


@pytest.mark.parametrize("normaliser", ["path", "off"])
def test_hipi_equals_equation_8(world, normaliser):
    algorithm, relabeler, scorer, paths = world("hipi", temperature=2.0, normaliser=normaliser)
    reference = PlainFormulas(algorithm, scorer)
    decisions = relabeler.decide(paths, [0] * len(paths), scorer, np.random.default_rng(0))
    (z,) = scorer.once("task_latents", lambda: pytest.fail("the latents must have been kept"))
    for path, decision in zip(paths, decisions, strict=True):
        scores = np.zeros((len(path["rewards"]), len(algorithm.train_tasks)))
        with torch.no_grad():
            for t in range(len(scores)):
                for k in range(scores.shape[1]):
                    scores[t, k] = reference.q(
                        torch.tensor(path["observations"][t]), torch.tensor(path["actions"][t]), z[k]
                    )
        log_z = 2.0 * np.log(np.exp(scores / 2.0).mean(axis=0)) if normaliser == "path" else 0.0
        weights = np.exp((scores - log_z) / 2.0)
        np.testing.assert_allclose(
            decision.probs, (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0), atol=1e-5
        )
        assert decision.tasks.shape == (len(scores),)


def test_what_hipi_logs_is_the_mean_over_transitions(make_path):
    """The critic pays 10 z, whatever the transition, and log Z is that of the same values."""
    (decision,) = make_relabeler("hipi", normaliser="path", temperature=1.0).decide(
        [make_path(6)], [0], weighted_scorer(), np.random.default_rng(0)
    )
    np.testing.assert_allclose(decision.utilities, [1.0, 2.0, 3.0, 4.0], rtol=1e-5)
    np.testing.assert_allclose(decision.log_partition, [1.0, 2.0, 3.0, 4.0], rtol=1e-5)
    np.testing.assert_allclose(decision.probs, np.full(K, 1 / K), rtol=1e-5)
    (plain,) = make_relabeler("hipi", normaliser="off", temperature=2.0).decide(
        [make_path(6)], [0], weighted_scorer(), np.random.default_rng(0)
    )
    weights = np.exp(np.array([1.0, 2.0, 3.0, 4.0]) / 2.0)
    np.testing.assert_allclose(plain.probs, weights / weights.sum(), rtol=1e-5)
    assert plain.tasks.shape == (6,)


class Uncertain(WeightedNetworks):
    """z has a standard deviation of 0.05 around the mean reward, a critic value one of 0.5."""

    def posterior(self, context, mask):
        mean, variance = super().posterior(context, mask)
        return mean, variance + 0.05**2


def _values(seed, **options):
    """What the critic says of task 0, where the posterior's mean gives 1."""
    scorer = weighted_scorer(networks=Uncertain)
    scorer._noise = NormalNoise(seed)
    relabeler = make_relabeler("hipi", **options)
    rows = torch.zeros(1, 2)
    return float(relabeler._scores(rows, rows, scorer)[0, 0])


def test_latents_are_samples_of_the_posterior_more_of_them_or_its_mean():
    spread = {
        number: np.std([_values(seed, num_latents=number) for seed in range(200)]) for number in (1, 25)
    }
    assert spread[1] == pytest.approx(0.5, rel=0.2)
    assert spread[25] == pytest.approx(0.1, rel=0.2)
    np.testing.assert_allclose([_values(seed, latent="mean") for seed in range(5)], 1.0, rtol=1e-5)
    with pytest.raises(ValueError, match="num_latents must be 1"):
        make_relabeler("hipi", latent="mean", num_latents=2)


class PaysTheAction(WeightedNetworks):
    """The critic pays the first action, under every task."""

    def critics(self, obs, action, z):
        return action[:, :1], action[:, :1]


@pytest.mark.parametrize(
    ("normaliser", "of"), [("mean", np.mean), ("trajectories", lambda q: np.log(np.exp(q).mean()))]
)
def test_a_shared_log_z_is_of_all_transitions_of_a_task_however_few_another_has(normaliser, of):
    """Task 0 has one trajectory of four steps, the others of one step."""
    scorer = weighted_scorer(networks=PaysTheAction, stored=())
    actions = [[1.0, 2.0, 3.0, 6.0], [5.0], [7.0], [9.0]]
    for task, first in enumerate(actions):
        rows = np.zeros((len(first), 5), np.float32)
        rows[:, 2] = first
        scorer.memory.add(task, rows, np.zeros(2, np.float32))
    relabeler = make_relabeler("hipi", normaliser=normaliser, num_partition_samples=1)
    log_z = relabeler._log_partition(1.0, scorer)
    np.testing.assert_allclose(log_z, [of(np.array(first)) for first in actions], rtol=1e-5)


def test_the_default_temperature_is_in_the_units_of_the_critic(make_path):
    """0.3 rewards at a reward scale of 2: the values 1 to 4 are divided by 0.6."""
    (decision,) = make_relabeler("hipi", normaliser="off").decide(
        [make_path(6)], [0], weighted_scorer(), np.random.default_rng(0)
    )
    weights = np.exp(np.array([1.0, 2.0, 3.0, 4.0]) / 0.6)
    np.testing.assert_allclose(decision.probs, weights / weights.sum(), rtol=1e-5)
