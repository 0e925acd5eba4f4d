"""The two-part training context: what training sees, and that the host's buffer is never disturbed."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr.buffers.clone import empty_like
from rlkit_hfr.buffers.training_context import TrainingContext
from rlkit_hfr.paths import take_steps
from rlkit_hfr.replay_buffer import SimpleReplayBuffer


@pytest.fixture
def hosts():
    return {task: SimpleReplayBuffer(1000, 2, 2, np.random.default_rng(task)) for task in range(3)}


@pytest.fixture
def context(hosts):
    return TrainingContext(hosts, np.random.default_rng(0))


def _host_adds(context, hosts, task, path, kept="all", iteration=0):
    kept = path if isinstance(kept, str) else kept
    context.before_original(task, path, kept, iteration)
    hosts[task].add_path(path)
    context.after_original(task)


def _markers(context, task, size=400):
    batch = context.views()[task].random_batch(size)
    assert all(len(column) == size for column in batch.values())
    return {
        int(m): float(np.mean(batch["observations"][:, 0] == m))
        for m in np.unique(batch["observations"][:, 0])
    }


def test_with_nothing_relabeled_it_is_the_hosts_buffer_batch_for_batch(hosts, context, make_path):
    for marker in (1, 2, 3):
        _host_adds(context, hosts, 0, make_path(marker=marker))
    assert all(context.views()[task] is hosts[task] for task in hosts)


def test_moved_paths_leave_and_the_host_keeps_them(hosts, context, make_path):
    _host_adds(context, hosts, 0, make_path(marker=1))
    _host_adds(context, hosts, 0, make_path(marker=2), kept=None)
    _host_adds(context, hosts, 0, make_path(marker=3))
    assert set(_markers(context, 0)) == {1, 3}
    assert set(hosts[0].random_batch(400)["observations"][:, 0]) == {1, 2, 3}


def test_both_parts_are_mixed_in_proportion(hosts, context, make_path):
    _host_adds(context, hosts, 0, make_path(length=5, marker=1))
    context.add_relabeled(0, make_path(length=15, marker=2), iteration=0)
    shares = _markers(context, 0, size=4000)
    assert shares[1] == pytest.approx(0.25, abs=0.03)
    assert shares[2] == pytest.approx(0.75, abs=0.03)
    assert set(hosts[0].random_batch(100)["observations"][:, 0]) == {1}


def test_relabeled_paths_are_those_of_the_latest_iteration_that_brought_any(hosts, context, make_path):
    _host_adds(context, hosts, 0, make_path(marker=1), iteration=0)
    context.add_relabeled(0, make_path(marker=2), iteration=0)
    context.add_relabeled(0, make_path(marker=3), iteration=0)
    assert set(_markers(context, 0)) == {1, 2, 3}
    hosts[0].clear()
    _host_adds(context, hosts, 0, make_path(marker=4), iteration=1)
    assert set(_markers(context, 0)) == {2, 3, 4}
    context.add_relabeled(0, make_path(marker=5), iteration=1)
    assert set(_markers(context, 0)) == {4, 5}


def test_stale_originals_retire_when_an_unvisited_task_gets_a_path(hosts, make_path):
    for mode, expected in (("drop", {2}), ("keep", {1, 2})):
        fresh = {0: empty_like(hosts[0])}
        context = TrainingContext(fresh, np.random.default_rng(0), stale_context=mode)
        _host_adds(context, fresh, 0, make_path(marker=1), iteration=0)
        context.add_relabeled(0, make_path(marker=2), iteration=1)
        assert set(_markers(context, 0)) == expected


@pytest.mark.parametrize("iteration", [0, 1, 2])
@pytest.mark.parametrize(("mode", "expected"), [("drop", {2}), ("keep", {1, 2})])
def test_what_was_there_before_relabeling_began_is_of_no_visit(hosts, make_path, iteration, mode, expected):
    """In whichever iteration a task that was never visited gets its first path."""
    hosts[0].add_path(make_path(marker=1))
    context = TrainingContext(hosts, np.random.default_rng(0), stale_context=mode)
    context.add_relabeled(0, make_path(marker=2), iteration)
    context.add_relabeled(0, make_path(marker=2), iteration)
    assert set(_markers(context, 0)) == expected


def test_a_visit_after_the_relabeled_path_brings_fresh_originals_beside_it(hosts, context, make_path):
    _host_adds(context, hosts, 0, make_path(marker=1), iteration=0)
    context.add_relabeled(0, make_path(marker=2), iteration=1)
    hosts[0].clear()  # the host clears its own buffer at a visit, past every method of ours
    _host_adds(context, hosts, 0, make_path(marker=3), iteration=1)
    assert set(_markers(context, 0)) == {2, 3}


def test_a_visit_before_the_relabeled_path_keeps_the_originals(hosts, context, make_path):
    _host_adds(context, hosts, 0, make_path(marker=1), iteration=1)
    context.add_relabeled(0, make_path(marker=2), iteration=1)
    assert set(_markers(context, 0)) == {1, 2}


def test_if_everything_moved_away_the_unrelabeled_originals_serve(hosts, context, make_path):
    _host_adds(context, hosts, 0, make_path(marker=1), kept=None)
    assert set(_markers(context, 0)) == {1}


def test_some_steps_of_a_path_can_stay(hosts, context, make_path):
    path = make_path(length=4)
    path["observations"][:, 0] = [1, 2, 3, 4]
    _host_adds(context, hosts, 0, path, kept=take_steps(path, np.array([True, False, False, True])))
    assert set(_markers(context, 0)) == {1, 4}
    assert hosts[0].num_steps_can_sample() == 4


def test_clear_after_a_move_forgets_the_move(hosts, context, make_path):
    _host_adds(context, hosts, 0, make_path(marker=1), kept=None)
    hosts[0].clear()
    _host_adds(context, hosts, 0, make_path(marker=2))
    assert set(_markers(context, 0)) == {2}


def test_unknown_mode_is_refused(hosts):
    with pytest.raises(ValueError, match="drop, keep"):
        TrainingContext(hosts, np.random.default_rng(0), stale_context="maybe")


def test_a_batch_mixes_both_parts_row_by_row(hosts, context, make_path):
    """Hosts cut a context batch into mini-batches: neither part may come as a block."""
    _host_adds(context, hosts, 0, make_path(length=50, marker=1))
    context.add_relabeled(0, make_path(length=50, marker=2), iteration=0)
    markers = context.views()[0].random_batch(400)["observations"][:, 0]
    assert {1, 2} == set(markers[:40])
    assert {1, 2} == set(markers[-40:])


def test_writes_through_a_view_reach_the_host(hosts, context, make_path):
    _host_adds(context, hosts, 0, make_path(marker=1))
    context.add_relabeled(0, make_path(marker=2), iteration=0)
    view = context.views()[0]
    view.clear()
    assert hosts[0].num_steps_can_sample() == 0
    assert set(view.random_batch(50)["observations"][:, 0]) == {2}
    view.add_path(make_path(marker=3))
    assert set(hosts[0].random_batch(50)["observations"][:, 0]) == {3}


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_contexts_is_of_the_hosts_originals(hosts, make_path, share):
    context = TrainingContext(hosts, np.random.default_rng(0), original_contexts=share)
    _host_adds(context, hosts, 0, make_path(marker=1), kept=None)  # moved away: only the host still has it
    context.add_relabeled(0, make_path(marker=2), iteration=0)
    drawn = [set(context.views()[0].random_batch(5)["observations"][:, 0]) for _ in range(400)]
    assert np.mean([batch == {1.0} for batch in drawn]) == pytest.approx(share, abs=0.06)
    with pytest.raises(ValueError, match="between 0 and 1"):
        TrainingContext(hosts, np.random.default_rng(0), original_contexts=1.5)


class SequenceBuffer(SimpleReplayBuffer):
    """Gives rows in order, from the first of a buffer on."""

    def random_sequence(self, number):
        return {"observations": self._observations[:number].copy()}


def test_sequences_come_from_one_of_both_parts_in_the_order_of_their_steps(make_path):
    hosts = {0: SequenceBuffer(1000, 2, 2, np.random.default_rng(0))}
    context = TrainingContext(hosts, np.random.default_rng(0))
    own, relabeled = make_path(length=5, seed=1), make_path(length=15, seed=2)
    _host_adds(context, hosts, 0, own, iteration=0)
    context.add_relabeled(0, relabeled, iteration=0)
    view, of_own = context.views()[0], 0
    for _ in range(400):
        rows = view.random_sequence(4)["observations"]
        is_own = np.array_equal(rows, own["observations"][:4])
        assert is_own or np.array_equal(rows, relabeled["observations"][:4])
        of_own += is_own
    assert of_own / 400 == pytest.approx(0.25, abs=0.07)
    assert view.observation_dim == 2  # all else is the host's
