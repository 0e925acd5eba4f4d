"""AIR, advantage and return: known answers, slow references, negative controls."""

from __future__ import annotations

import numpy as np
import pytest
from weighted_tasks import WEIGHTS, K, SparseNetworks, WeightedNetworks, weighted_scorer

from rlkit_hfr.relabelers import make_relabeler


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


def test_return_and_advantage_equal_slow_references(make_path):
    paths = _paths(make_path, 30)
    best_return = [max(range(K), key=lambda k: _slow_return(path, k)) for path in paths]
    best_advantage = [max(range(K), key=lambda k: _slow_advantage(path, k)) for path in paths]
    assert _chosen("return", paths, weighted_scorer())[1] == best_return
    assert _chosen("advantage", paths, weighted_scorer())[1] == best_advantage
    assert best_return != best_advantage  # an advantage that forgot V would be noticed


def test_air_equals_a_slow_reference_and_looks_at_the_most_recent_paths_alone(make_path):
    s, past, paths = weighted_scorer(), _paths(make_path, 12), _paths(make_path, 20, first=100)
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


def test_air_breaks_ties_by_the_advantage_and_begins_with_it(make_path):
    paths = _paths(make_path, 10)
    best_advantage = [max(range(K), key=lambda k: _slow_advantage(path, k)) for path in paths]
    # nothing to compare with yet: every percentile ties
    assert _chosen("air", paths, weighted_scorer())[1] == best_advantage


def test_a_task_that_pays_more_in_general_takes_everything_by_return_and_nothing_changes_by_percentile(
    make_path,
):
    """Generalized Hindsight's argument against eq. 5, and the partition-function
    experiment of HIPI's figure 2.
    """
    past, paths = _paths(make_path, 40), _paths(make_path, 20, first=100)
    assert set(_chosen("return", paths, weighted_scorer(offset=100.0))[1]) == {0}
    chosen = []
    for offset in (0.0, 100.0):
        s = weighted_scorer(offset)
        relabeler = make_relabeler("air")
        relabeler.observe(past, s)
        chosen.append(relabeler.scores(paths, s))
    np.testing.assert_array_equal(chosen[0], chosen[1])


def _slow_sparse_return(path, task):
    pays = WEIGHTS[task] @ path["actions"].T
    return sum(0.5**t * 2.0 * float(pay > 1.5) for t, pay in enumerate(pays))


def test_returns_are_of_the_rewards_that_the_context_sees_or_of_the_critics(make_path):
    path = make_path(6, actions=np.full((6, 2), 1.0, np.float32) * np.arange(6.0, dtype=np.float32)[:, None])
    for returns, slow in (("context", _slow_sparse_return), ("critic", _slow_return)):
        relabeler = make_relabeler("return", returns=returns)
        (scores,) = relabeler.scores([path], weighted_scorer(networks=SparseNetworks))
        np.testing.assert_allclose(scores, [slow(path, k) for k in range(K)], rtol=1e-5)
    assert len({_slow_sparse_return(path, k) for k in range(K)}) > 1  # and not all of them nothing


def test_an_advantage_is_of_the_rewards_that_the_values_are_of(make_path):
    """A sparse return less a dense value would tell nothing of the path."""
    paths = _paths(make_path, 20)
    dense = _chosen("advantage", paths, weighted_scorer())[1]
    assert _chosen("advantage", paths, weighted_scorer(networks=SparseNetworks))[1] == dense
    assert len(set(dense)) > 1


def test_air_draws_between_equals_where_no_critic_values_what_it_compares(make_path):
    """Paths that earn nothing anywhere are equals of each other under every task."""
    idle = [make_path(6, actions=np.full((6, 2), 1e-3 * i, np.float32)) for i in range(400)]
    s, relabeler = weighted_scorer(networks=SparseNetworks), make_relabeler("air")
    relabeler.observe(idle[:5], s)
    drawn = [d.tasks for d in relabeler.decide(idle, [0] * 400, s, np.random.default_rng(0))]
    np.testing.assert_allclose(np.bincount(drawn, minlength=K) / 400, 1 / K, atol=0.08)
    by_advantage = [max(range(K), key=lambda k: _slow_advantage(path, k)) for path in idle]
    for options, networks in (({"returns": "critic"}, SparseNetworks), ({}, WeightedNetworks)):
        s = weighted_scorer(networks=networks)
        assert _chosen("air", idle, s, **options)[1] == by_advantage


@pytest.mark.parametrize("name", ["air", "advantage"])
def test_a_task_whose_value_is_no_number_is_not_chosen(make_path, name):
    class Lost(WeightedNetworks):
        def critics(self, obs, action, z):
            lost = z.masked_fill(z > 0.35, float("nan"))  # that of the last task alone
            return lost, lost

    chosen = _chosen(name, _paths(make_path, 30), weighted_scorer(networks=Lost))[1]
    assert K - 1 not in chosen
    assert len(set(chosen)) > 1


def test_candidates_are_drawn_anew_for_every_path(make_path):
    path = make_path(6)
    relabeler = make_relabeler("return", num_candidates=1)
    drawn = [
        d.tasks
        for d in relabeler.decide([path] * 2000, [0] * 2000, weighted_scorer(), np.random.default_rng(0))
    ]
    np.testing.assert_allclose(np.bincount(drawn, minlength=K) / 2000, 1 / K, atol=0.04)


def test_options_are_checked():
    for options in ({"num_recent": 0}, {"num_candidates": -1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            make_relabeler("air", **options)


def test_what_is_logged_as_utility_is_what_is_maximised(make_path):
    past, path = _paths(make_path, 4), make_path(6, seed=50)
    expected = {
        "return": [_slow_return(path, k) for k in range(K)],
        "advantage": [_slow_advantage(path, k) for k in range(K)],
        "air": [sum(_slow_return(path, k) >= _slow_return(other, k) for other in past) / 4 for k in range(K)],
    }
    for name, values in expected.items():
        s, relabeler = weighted_scorer(), make_relabeler(name)
        relabeler.observe(past, s)
        (decision,) = relabeler.decide([path], [0], s, np.random.default_rng(0))
        np.testing.assert_allclose(decision.utilities, values, rtol=1e-4)
        assert np.isnan(decision.log_partition).all()
        assert decision.probs[decision.tasks] == 1.0
