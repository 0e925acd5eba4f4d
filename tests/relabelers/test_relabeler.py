"""What relabelers of trajectories have in common: temperature, prior, log Z, and how tasks are drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from two_tasks import path_with_action, two_task_scorer

from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.relabelers.relabeler import sample_distinct, sample_rows


def test_hard_max_always_takes_the_best_and_soft_max_samples(make_path):
    scorer, rng = two_task_scorer(), np.random.default_rng(0)
    path = path_with_action(math.log(2.0), make_path)
    hard = make_relabeler("hfr", num_partition_samples=2, temperature=0.0, normaliser="trajectories")
    assert {hard.decide([path], [1], scorer, rng)[0].tasks for _ in range(50)} == {0}
    soft = make_relabeler("hfr", num_partition_samples=2, normaliser="trajectories", temperature=1.0)
    drawn = [soft.decide([path], [1], scorer, rng)[0].tasks for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(3 / 7, abs=0.04)


def test_a_prior_multiplies_the_odds_and_zero_takes_a_task_out(make_path):
    """The odds of the two-task world are 4 to 3 at temperature 1."""
    scorer, rng = two_task_scorer(), np.random.default_rng(0)
    options = dict(num_partition_samples=2, normaliser="trajectories", temperature=1.0)
    for prior, expected in (([1, 1], 4 / 7), ([3, 4], 0.5), ([2, 0], 1.0), ([0, 1], 0.0)):
        relabeler = make_relabeler("hfr", prior=prior, **options)
        (decision,) = relabeler.decide([path_with_action(math.log(2.0), make_path)], [0], scorer, rng)
        np.testing.assert_allclose(decision.probs, [expected, 1 - expected], atol=1e-4)
    with pytest.raises(ValueError, match="weight of each of the 2 candidate tasks, got 3"):
        make_relabeler("hfr", prior=[1, 1, 1], **options).decide(
            [path_with_action(0.0, make_path)], [0], scorer, rng
        )


@pytest.mark.parametrize("name", ["hfr", "hfr-bellman", "hipi-trajectory"])
@pytest.mark.parametrize("scale", [0.1, 1.0, 100.0])
def test_at_the_default_temperature_a_prior_counts_as_it_is_at_any_reward_scale(name, scale):
    relabeler = make_relabeler(name, prior=[9, 1])
    relabeler.reward_scale = scale
    probs = relabeler.distribution(torch.tensor([[5.0, 5.0]]), None)
    np.testing.assert_allclose(probs, [[0.9, 0.1]], rtol=1e-6)


def test_the_default_temperature_follows_the_reward_scale_of_the_host(make_path):
    """0.3 rewards, in the critic's units; the utilities of a path are its mean reward under each task."""
    path = path_with_action(0.5, make_path)
    for scale in (1.0, 2.0):
        scorer = two_task_scorer()
        scorer.networks.reward_scale = scale
        relabeler = make_relabeler("hfr", normaliser="off")
        (decision,) = relabeler.decide([path], [0], scorer, np.random.default_rng(0))
        odds = math.exp((0.5 - -0.5) / (0.3 * scale))
        np.testing.assert_allclose(decision.probs, [odds / (1 + odds), 1 / (1 + odds)], rtol=1e-4)


def test_log_partition_is_kept_until_the_networks_change(make_path):
    scorer = two_task_scorer()
    relabeler = make_relabeler("hfr", num_partition_samples=2, normaliser="trajectories", temperature=1.0)
    first = relabeler.log_partition(scorer)
    scorer.memory.add(0, np.full((3, 5), 9.0, np.float32), np.zeros(2, np.float32))
    torch.testing.assert_close(relabeler.log_partition(scorer), first)
    scorer.refresh()
    assert relabeler.log_partition(scorer)[0] > first[0]


def test_sampling_follows_the_probabilities():
    probs = np.tile([[0.0, 0.2, 0.5, 0.3, 0.0]], (20_000, 1))
    counts = np.bincount(sample_rows(probs, np.random.default_rng(0)), minlength=5) / len(probs)
    np.testing.assert_allclose(counts, probs[0], atol=0.015)
    assert counts[0] == counts[4] == 0.0


def test_several_tasks_are_drawn_without_replacement_by_their_probabilities():
    probs, rng = np.tile([0.6, 0.3, 0.1, 0.0], (20_000, 1)), np.random.default_rng(0)
    drawn = sample_distinct(probs, 2, rng)
    assert all(len(set(row)) == 2 and 3 not in row for row in drawn)
    pairs, counts = np.unique(np.stack(drawn), axis=0, return_counts=True)
    shares = {tuple(pair): count / len(drawn) for pair, count in zip(pairs.tolist(), counts, strict=True)}
    for first, p in enumerate((0.6, 0.3, 0.1)):
        for second, q in enumerate((0.6, 0.3, 0.1)):
            if first != second:
                assert shares[first, second] == pytest.approx(p * q / (1 - p), abs=0.01)
    # a task without mass is never taken
    assert all(len(row) == 3 for row in sample_distinct(probs[:10], 4, rng))


@pytest.mark.parametrize("name", ["hfr", "air", "advantage"])
def test_several_tasks_a_path_are_distinct_and_the_best(world, name):
    algorithm, relabeler, scorer, paths = world(name, env_name="point-robot", tasks_per_path=3)
    with scorer.networks.isolated():
        decisions = relabeler.decide(paths, algorithm.train_tasks[:4], scorer, np.random.default_rng(0))
    for decision in decisions:
        assert isinstance(decision.tasks, tuple)
        assert len(set(decision.tasks)) == 3
        if name == "advantage":
            assert list(decision.tasks) == np.argsort(-decision.utilities)[:3].tolist()
