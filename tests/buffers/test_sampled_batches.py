"""Batches that are relabeled on their way out: who gets which transition, and what is left alone."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest
import torch

from rlkit_hfr import attach
from rlkit_hfr.buffers.relabeling_buffer import RelabelingMultiTaskReplayBuffer
from rlkit_hfr.buffers.sampled_batches import SampledBatches
from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.relabelers.sampling import BatchScores, SamplingRelabeler
from rlkit_hfr.replay_buffer import SimpleReplayBuffer
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory

TASKS = [10, 20, 30]


class ToTheTaskOfItsInfo(SamplingRelabeler):
    """Each transition goes to the task that its info "wants" names."""

    name = "to-the-task-of-its-info"

    def score_batch(self, rows, sources, tasks, scorer):
        wants = rows["env_infos"]["wants"]
        probs = np.array([[float(task == want) for task in tasks] for want in wants])
        missing = probs.sum(axis=1) == 0
        probs[missing] = np.eye(len(tasks))[sources[missing]]
        return BatchScores(probs, probs, np.zeros(len(tasks)))


class NoNetworks:
    sparse_rewards, layout = False, ContextLayout(2, 2)

    def isolated(self):
        return contextlib.nullcontext()


def _rewards(path, tasks):
    """Task psi pays psi plus the first action; a step of it ends where that is positive."""
    first = path["actions"][:, 0]
    values = np.array(tasks, np.float32)[:, None] + first
    return TaskRewards(values, np.broadcast_to(first > 0.0, values.shape), 2.0 * values)


@pytest.fixture
def world(make_path):
    """Buffers of three tasks with 40 transitions each, whose first observation is the task they are of."""

    def build(share=1.0, wants=lambda task: 20, noted=True):
        memory = TaskMemory(TASKS, 5, 5, np.random.default_rng(0))
        scorer = Scorer(NoNetworks(), memory, Hindsight(_rewards), TASKS, np.random.SeedSequence(0))
        statistics = RelabelStatistics(TASKS)
        batches = SampledBatches(ToTheTaskOfItsInfo(), scorer, statistics, np.random.default_rng(0), share)
        hosts = {}
        for task in TASKS:
            memory.add(task, np.zeros((1, 5), np.float32), np.zeros(2))
            path = make_path(40, seed=task, marker=task)
            own = _rewards(path, [task])
            path.update(
                rewards=own.rewards.T,
                terminals=own.terminals.T,
                env_infos={"wants": np.full(40, wants(task)), "sparse_reward": own.sparse_rewards[0]},
            )
            hosts[task] = SimpleReplayBuffer(1000, 2, 2, np.random.default_rng(task))
            hosts[task].add_path(path)
            if noted:
                batches.stored(path)
        return batches, hosts, statistics

    return build


def _ask(batches, hosts, tasks, size=16):
    views = batches.views(tasks, hosts)
    return [views[task].random_batch(size) for task in tasks]


def _check_rewards(batch, task):
    expected = task + batch["actions"][:, :1]
    np.testing.assert_allclose(batch["rewards"], expected, rtol=1e-6)
    np.testing.assert_allclose(batch["sparse_rewards"], 2.0 * expected, rtol=1e-6)
    np.testing.assert_array_equal(batch["terminals"], batch["actions"][:, :1] > 0.0)


def test_transitions_change_places_and_get_the_rewards_of_their_new_task(world):
    """10 and 20 swap what they have: every transition wants the other task."""
    batches, hosts, statistics = world(wants=lambda task: {10: 20, 20: 10, 30: 30}[task])
    first, second, third = _ask(batches, hosts, TASKS)
    assert set(first["observations"][:, 0]) == {20.0}
    assert set(second["observations"][:, 0]) == {10.0}
    assert set(third["observations"][:, 0]) == {30.0}
    for batch, task in zip((first, second, third), TASKS, strict=True):
        assert all(len(column) == 16 for column in batch.values())
        _check_rewards(batch, task)
        assert batch["terminals"].dtype == np.uint8
    columns = statistics.columns()
    assert columns["relabel/sampled transitions relabeled"] == 48
    assert columns["relabel/share that changed task"] == pytest.approx(2 / 3)
    assert columns["relabel/probability of own task"] == pytest.approx(1 / 3)
    assert columns["relabel/share of moved steps with another reward"] == 1.0
    np.testing.assert_array_equal(statistics.arrays()["source_to_new"], [[0, 16, 0], [16, 0, 0], [0, 0, 16]])


def test_a_task_that_nothing_is_given_to_keeps_its_batch_and_none_has_a_transition_twice(world):
    batches, hosts, _ = world()  # all want 20, which has nothing to give in exchange
    for batch, task in zip(_ask(batches, hosts, TASKS), TASKS, strict=True):
        assert set(batch["observations"][:, 0]) == {float(task)}
        _check_rewards(batch, task)
    # 30 wants 10, 10 and 20 want 20: 10 gives nothing to 30, and no place of 20 is free
    batches, hosts, _ = world(wants=lambda task: {10: 20, 20: 30, 30: 30}[task])
    first, second, third = _ask(batches, hosts, TASKS, size=6)
    assert set(second["observations"][:, 0]) == {10.0}
    assert set(third["observations"][:, 0]) == {30.0}
    rows = [tuple(row) for row in second["actions"].tolist()]
    drawn = [tuple(row) for row in first["actions"].tolist()]
    assert sorted(rows) == sorted(drawn)  # each once, as it was drawn


def test_the_share_is_that_of_the_offered_transitions(world):
    for share in (0.25, 0.75):
        batches, hosts, statistics = world(share, wants=lambda task: {10: 20, 20: 10, 30: 30}[task])
        first, *_ = _ask(batches, hosts, [10, 20], size=2000)
        assert np.mean(first["observations"][:, 0] == 20.0) == pytest.approx(share, abs=0.06)
        assert statistics.columns()["relabel/sampled transitions relabeled"] / 4000 == pytest.approx(
            share, abs=0.04
        )


def test_rewards_that_hindsight_does_not_give_back_are_said_once(world):
    batches, hosts, _ = world()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _ask(batches, hosts, TASKS)  # what was recorded is what hindsight says
    batches, hosts, _ = world()
    for host in hosts.values():
        host._rewards += 1.0
    with pytest.warns(UserWarning, match="hindsight rewards do not give back"):
        _ask(batches, hosts, TASKS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _ask(batches, hosts, TASKS)


def test_what_is_drawn_is_what_the_host_draws_without_us(world):
    """The same transitions, in the order of the host's own requests, and again for a second round."""
    batches, hosts, _ = world(wants=lambda task: task)
    _, plain, _ = world()
    expected = [plain[task].random_batch(8) for task in (20, 10, 20, 20, 10, 20)]
    views = batches.views([20, 10, 20], hosts)
    actual = [views[task].random_batch(8) for task in (20, 10, 20, 20, 10, 20)]
    np.testing.assert_equal(actual, expected)


def test_transitions_that_were_not_stored_through_us_stay_and_that_is_said_once(world):
    batches, hosts, _ = world(noted=False)
    with pytest.warns(UserWarning, match="gives back no transition"):
        drawn = _ask(batches, hosts, TASKS)
    for batch, task in zip(drawn, TASKS, strict=True):
        assert set(batch["observations"][:, 0]) == {float(task)}
    _ask(batches, hosts, TASKS)


def test_tasks_that_are_no_candidates_and_share_zero_are_not_served(world):
    assert world()[0].serves([10, 20])
    assert not world()[0].serves([10, 99])
    assert not world(share=0.0)[0].serves([10, 20])


def test_batches_of_different_sizes_change_places_and_keep_their_sizes(world):
    """10 and 20 swap what they have; 30 wants what it has."""
    batches, hosts, _ = world(wants=lambda task: {10: 20, 20: 10, 30: 30}[task])
    sizes = {10: 6, 20: 4, 30: 5}
    drawn = [hosts[task].random_batch(size) for task, size in sizes.items()]
    first, second, third = batches.relabeled(TASKS, drawn)
    assert sorted(first["observations"][:, 0]) == [10.0] * 2 + [20.0] * 4  # 20 has four to give
    assert set(second["observations"][:, 0]) == {10.0}
    assert set(third["observations"][:, 0]) == {30.0}
    for batch, (task, size) in zip((first, second, third), sizes.items(), strict=True):
        assert all(len(column) == size for column in batch.values())
        _check_rewards(batch, task)


def test_batches_that_are_no_transitions_are_given_back_as_they_are(world):
    batches, hosts, statistics = world()
    columns = list(hosts[10].random_batch(4))
    without = [{key: hosts[task].random_batch(4)[key] for key in columns[1:]} for task in (10, 20)]
    names_alone = [list(columns), list(columns)]
    tuples = [tuple(hosts[task].random_batch(4).values()) for task in (10, 20)]
    for drawn in (without, names_alone, tuples):
        assert batches.relabeled([10, 20], drawn) is drawn
    assert statistics.columns()["relabel/sampled transitions relabeled"] == 0


def test_a_request_within_a_request_changes_nothing(world):
    batches, hosts, _ = world(wants=lambda task: {10: 20, 20: 10, 30: 30}[task])
    buffer = RelabelingMultiTaskReplayBuffer.__new__(RelabelingMultiTaskReplayBuffer)
    buffer.task_buffers = hosts
    buffer.start_relabeling(router=object(), sampled=batches)
    with buffer.sampling_request([10, 20]):
        assert set(buffer.random_batch(10, 5)["observations"][:, 0]) == {20.0}
        with buffer.sampling_request([10, 30]):
            assert set(buffer.random_batch(20, 5)["observations"][:, 0]) == {10.0}
        assert set(buffer.random_batch(10, 5)["observations"][:, 0]) == {20.0}
    assert batches.requests == 1
    assert buffer.task_buffers is hosts
    assert set(buffer.random_batch(10, 5)["observations"][:, 0]) == {10.0}


class TensorBuffer:
    """A host's buffer that gives tensors, and something that is no row."""

    def __init__(self, inner):
        self.inner = inner

    def random_batch(self, size):
        batch = {key: torch.as_tensor(value) for key, value in self.inner.random_batch(size).items()}
        return {**batch, "scale": 7}


def test_batches_of_tensors_stay_tensors(world):
    batches, hosts, _ = world(wants=lambda task: {10: 20, 20: 10, 30: 30}[task])
    first, second = _ask(batches, {task: TensorBuffer(host) for task, host in hosts.items()}, [10, 20])
    assert isinstance(first["rewards"], torch.Tensor)
    assert first["scale"] == 7
    assert first["observations"][:, 0].unique().tolist() == [20.0]
    _check_rewards({key: np.asarray(value) for key, value in second.items()}, 20)


def test_it_is_refused_where_only_contexts_are_relabeled(make_algorithm):
    with pytest.raises(ValueError, match="relabel_into must be both or rl"):
        attach(make_algorithm(), "hipi-sampling", relabel_into="context")
