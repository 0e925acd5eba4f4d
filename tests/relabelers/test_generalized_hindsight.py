"""AIR, advantage, return and HIPI on trajectories: known answers, slow references, negative controls."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory

K = 4
WEIGHTS = np.random.default_rng(7).normal(size=(K, 2)).astype(np.float32)


class Networks:
    """The critic pays 10 z, and z is the mean of the context's rewards."""

    device = torch.device("cpu")
    reward_scale, discount, sparse_rewards, context_batch_size = 2.0, 0.5, False, 8
    layout = ContextLayout(obs_dim=2, action_dim=2)

    def posterior(self, context, mask):
        mean = (context[..., 4] * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True)
        return mean, torch.zeros_like(mean)

    def action(self, obs, z, noise):
        return torch.zeros(len(obs), 2)

    def critics(self, obs, action, z):
        return 10.0 * z + 1.0, 10.0 * z


def _rewards(offset=0.0):
    def rewards(path, tasks):
        values = WEIGHTS[list(tasks)] @ path["actions"].T
        values[0] += offset
        return TaskRewards(values, np.zeros(values.shape, bool))

    return rewards


@pytest.fixture
def scorer():
    def build(offset=0.0, stored=(0.1, 0.2, 0.3, 0.4), length=3):
        memory = TaskMemory(range(K), 5, 1, np.random.default_rng(0))
        for task, value in enumerate(stored):
            memory.add(task, np.full((length, 5), value, np.float32), np.zeros(2, np.float32))
        return Scorer(Networks(), memory, Hindsight(_rewards(offset)), range(K), np.random.SeedSequence(0))

    return build


def _paths(make_path, number, first=0, length=6):
    return [make_path(length, seed=first + i) for i in range(number)]


def _slow_return(path, task, offset=0.0):
    total = 0.0
    for t, action in enumerate(path["actions"]):
        total += 0.5**t * 2.0 * (float(WEIGHTS[task] @ action) + (offset if task == 0 else 0.0))
    return total


def _slow_advantage(path, task):
    return _slow_return(path, task) - 10.0 * (0.1, 0.2, 0.3, 0.4)[task]


def _chosen(name, paths, scorer, **options):
    relabeler = make_relabeler(name, **options)
    return relabeler, [
        d.tasks for d in relabeler.decide(paths, [0] * len(paths), scorer, np.random.default_rng(0))
    ]


def test_return_and_advantage_equal_slow_references(make_path, scorer):
    paths = _paths(make_path, 30)
    best_return = [max(range(K), key=lambda k: _slow_return(path, k)) for path in paths]
    best_advantage = [max(range(K), key=lambda k: _slow_advantage(path, k)) for path in paths]
    assert _chosen("return", paths, scorer())[1] == best_return
    assert _chosen("advantage", paths, scorer())[1] == best_advantage
    assert best_return != best_advantage  # an advantage that forgot V would be noticed


def test_air_equals_a_slow_reference_and_looks_at_the_most_recent_paths_alone(make_path, scorer):
    s, past, paths = scorer(), _paths(make_path, 12), _paths(make_path, 20, first=100)
    relabeler = make_relabeler("air", num_recent=5)
    relabeler.observe(past, s)
    actual = [d.tasks for d in relabeler.decide(paths, [0] * 20, s, np.random.default_rng(0))]

    def slow(reference):
        out = []
        for path in paths:

            def key(k, path=path):
                percentile = sum(
                    _slow_return(path, k) >= _slow_return(other, k) for other in reference
                ) / len(reference)
                return percentile, _slow_advantage(path, k)

            out.append(max(range(K), key=key))
        return out

    assert actual == slow(past[-5:])
    assert actual != slow(past)  # older ones do not count
    assert actual != slow(past[:5])


def test_air_breaks_ties_by_the_advantage_and_begins_with_it(make_path, scorer):
    paths = _paths(make_path, 10)
    best_advantage = [max(range(K), key=lambda k: _slow_advantage(path, k)) for path in paths]
    # nothing to compare with yet: every percentile ties
    assert _chosen("air", paths, scorer())[1] == best_advantage


def test_a_task_that_pays_more_in_general_takes_everything_by_return_and_nothing_changes_by_percentile(
    make_path, scorer
):
    """Generalized Hindsight's argument against eq. 5, and the partition-function
    experiment of HIPI's figure 2.
    """
    past, paths = _paths(make_path, 40), _paths(make_path, 20, first=100)
    assert set(_chosen("return", paths, scorer(offset=100.0))[1]) == {0}
    chosen = []
    for offset in (0.0, 100.0):
        s = scorer(offset)
        relabeler = make_relabeler("air")
        relabeler.observe(past, s)
        chosen.append(relabeler.scores(paths, s))
    np.testing.assert_array_equal(chosen[0], chosen[1])


def test_candidates_are_drawn_anew_for_every_path(make_path, scorer):
    path = make_path(6)
    relabeler = make_relabeler("return", num_candidates=1)
    drawn = [d.tasks for d in relabeler.decide([path] * 2000, [0] * 2000, scorer(), np.random.default_rng(0))]
    np.testing.assert_allclose(np.bincount(drawn, minlength=K) / 2000, 1 / K, atol=0.04)


def test_hipi_on_trajectories_closed_form(make_path, scorer):
    path = make_path(6)
    returns = [2.0 * float((WEIGHTS[k] @ path["actions"].T).sum()) for k in range(K)]
    # one stored trajectory of three steps per task: log Z is its scaled return
    log_z = [2.0 * 3 * value for value in (0.1, 0.2, 0.3, 0.4)]
    weights = np.exp(np.array(returns) - np.array(log_z))
    relabeler = make_relabeler("hipi-trajectory", normaliser="trajectories", temperature=1.0)
    (decision,) = relabeler.decide([path], [0], scorer(), np.random.default_rng(0))
    np.testing.assert_allclose(decision.probs, weights / weights.sum(), rtol=1e-4)
    (ablation,) = make_relabeler("hipi-trajectory", normaliser="off", temperature=1.0).decide(
        [path], [0], scorer(), np.random.default_rng(0)
    )
    plain = np.exp(np.array(returns))
    np.testing.assert_allclose(ablation.probs, plain / plain.sum(), rtol=1e-4)
    assert np.abs(decision.probs - ablation.probs).max() > 0.05


def test_hipi_on_trajectories_averages_exponentials_over_trajectories(scorer):
    s = scorer()
    for task in range(K):
        s.memory.add(task, np.full((3, 5), 0.0, np.float32), np.zeros(2, np.float32))
    log_z = make_relabeler(
        "hipi-trajectory", num_partition_samples=2, normaliser="trajectories", temperature=1.0
    ).log_partition(s)
    expected = [math.log((math.exp(6 * value) + 1.0) / 2) for value in (0.1, 0.2, 0.3, 0.4)]
    np.testing.assert_allclose(log_z, expected, rtol=1e-5)


def test_hipi_on_trajectories_finds_the_reward_before_the_next_observation(make_path):
    """With the next observation in the context, the reward is not the last column of a stored row."""

    class WithNextObs(Networks):
        layout = ContextLayout(obs_dim=2, action_dim=2, with_next_obs=True)

    memory = TaskMemory(range(K), 5, 1, np.random.default_rng(0))
    for task in range(K):
        rows = np.full((3, 7), 99.0, np.float32)  # observation (2), action (2), reward, next observation (2)
        rows[:, 4] = task
        memory.add(task, rows, np.zeros(2, np.float32))
    s = Scorer(WithNextObs(), memory, Hindsight(_rewards()), range(K), np.random.SeedSequence(0))
    np.testing.assert_allclose(s.sampled_returns("trajectories", 4), np.tile(3.0 * np.arange(K), (4, 1)))
    np.testing.assert_allclose(
        make_relabeler("hipi-trajectory", normaliser="mean").log_partition(s), 2.0 * 3.0 * np.arange(K)
    )


def test_options_are_checked():
    for options in ({"num_recent": 0}, {"num_candidates": -1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            make_relabeler("air", **options)


def test_what_is_logged_as_utility_is_what_is_maximised(make_path, scorer):
    past, path = _paths(make_path, 4), make_path(6, seed=50)
    expected = {
        "return": [_slow_return(path, k) for k in range(K)],
        "advantage": [_slow_advantage(path, k) for k in range(K)],
        "air": [sum(_slow_return(path, k) >= _slow_return(other, k) for other in past) / 4 for k in range(K)],
    }
    for name, values in expected.items():
        s, relabeler = scorer(), make_relabeler(name)
        relabeler.observe(past, s)
        (decision,) = relabeler.decide([path], [0], s, np.random.default_rng(0))
        np.testing.assert_allclose(decision.utilities, values, rtol=1e-4)
        assert np.isnan(decision.log_partition).all()
        assert decision.probs[decision.tasks] == 1.0


def test_what_hipi_logs_is_the_mean_over_transitions(make_path, scorer):
    """The critic pays 10 z, whatever the transition, and log Z is that of the same values."""
    (decision,) = make_relabeler("hipi", normaliser="path", temperature=1.0).decide(
        [make_path(6)], [0], scorer(), np.random.default_rng(0)
    )
    np.testing.assert_allclose(decision.utilities, [1.0, 2.0, 3.0, 4.0], rtol=1e-5)
    np.testing.assert_allclose(decision.log_partition, [1.0, 2.0, 3.0, 4.0], rtol=1e-5)
    np.testing.assert_allclose(decision.probs, np.full(K, 1 / K), rtol=1e-5)
    (plain,) = make_relabeler("hipi", normaliser="off", temperature=2.0).decide(
        [make_path(6)], [0], scorer(), np.random.default_rng(0)
    )
    weights = np.exp(np.array([1.0, 2.0, 3.0, 4.0]) / 2.0)
    np.testing.assert_allclose(plain.probs, weights / weights.sum(), rtol=1e-5)
    assert plain.tasks.shape == (6,)
