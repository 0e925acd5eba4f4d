"""What is kept of each task: how much, of which paths, and that it is a fair sample."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr.scoring.task_memory import Reservoir, TaskMemory


def _row(value, steps=2):
    return np.full((steps, 5), value, np.float32)


@pytest.fixture
def memory():
    return TaskMemory([4, 7, 9], 6, 3, np.random.default_rng(0))


def test_a_reservoir_is_a_uniform_sample_of_what_was_added():
    counts = np.zeros(8)
    for seed in range(4000):
        reservoir, rng = Reservoir(3), np.random.default_rng(seed)
        for i in range(8):
            reservoir.add(np.array(i), rng)
        assert (reservoir.seen, len(reservoir.items)) == (8, 3)
        counts[[int(item) for item in reservoir.items]] += 1
    np.testing.assert_allclose(counts / 4000, 3 / 8, atol=0.03)


def test_draws_are_distinct_as_long_as_there_are_enough():
    rng, reservoir = np.random.default_rng(0), Reservoir(5)
    for i in range(5):
        reservoir.add(np.array(i), rng)
    assert sorted(int(item) for item in reservoir.draw(5, rng)) == [0, 1, 2, 3, 4]
    assert len(reservoir.draw(9, rng)) == 9
    with pytest.raises(ValueError, match="nothing has been stored"):
        Reservoir(1).draw(1, rng)


def test_what_was_collected_is_pooled_over_tasks_the_latest_first_to_stay(memory, make_path):
    with pytest.raises(ValueError, match="no path"):
        memory.pooled_paths(1)
    paths = {task: [make_path(seed=10 * task + i) for i in range(4)] for task in (4, 7)}
    for task, collected in paths.items():
        for path in collected:
            memory.collected(task, path)
    memory.collected(99, make_path())  # no candidate
    # six trajectories over three tasks: two each
    pooled = memory.pooled_paths(10)
    assert {id(path) for path in pooled} == {id(path) for task in (4, 7) for path in paths[task][-2:]}
    assert len(memory.pooled_paths(3)) == 3
    assert len({id(path) for path in memory.pooled_paths(4)}) == 4


def test_a_visit_is_that_of_the_latest_iteration(memory):
    memory.add(4, _row(1.0, steps=7), np.zeros(2))
    assert {batch.shape for batch in memory.contexts(4, 3)} == {(7, 5)}  # of what was stored, without a visit
    memory.visited(4, _row(2.0), 1)
    memory.visited(4, _row(3.0, steps=4), 1)
    batches = memory.contexts(4, 30)
    assert len(batches) == 30
    assert {batch.shape for batch in batches} == {(4, 5)}
    assert set(np.unique(np.stack(batches))) == {2.0, 3.0}
    memory.visited(4, _row(5.0), 2)
    assert set(np.unique(np.stack(memory.contexts(4, 9)))) == {5.0}
    memory.visited(99, _row(6.0), 2)  # no candidate


def test_it_is_warm_when_every_task_has_a_trajectory(memory):
    for task in (4, 7, 9):
        assert not memory.is_warm()
        memory.add(task, _row(0.0), np.zeros(2))
    assert memory.is_warm()


def test_it_keeps_as_much_as_it_was_asked_to(memory):
    for i in range(20):
        memory.add(4, _row(i), np.full(2, i))
    assert len(memory.all_trajectories(4)) == 6
    assert len(memory.trajectories(4, 6)) == 6
    assert len({float(obs[0]) for obs in memory.initial_obs(4, 3)}) == 3
    assert memory.initial_obs(4, 8).shape == (8, 2)


def test_a_relabeler_that_asks_for_more_than_it_said_gets_them_from_then_on(memory):
    for i in range(10):
        memory.add(4, _row(i), np.full(2, i))
    assert len(np.unique(memory.initial_obs(4, 5))) <= 3  # three were to be kept
    for i in range(10, 20):
        memory.add(4, _row(i), np.full(2, i))
    assert len(np.unique(memory.initial_obs(4, 5)[:, 0])) == 5


def test_a_context_batch_is_of_any_rows_or_in_order_of_whole_trajectories(memory):
    for value, steps in ((1.0, 3), (2.0, 4)):
        memory.add(4, _row(value, steps=steps), np.zeros(2))
    rng = np.random.default_rng(0)
    batch = memory.context_batch(4, 30, rng)
    assert batch.shape == (30, 5)
    assert set(np.unique(batch)) == {1.0, 2.0}
    for size, fit in ((7, [7]), (5, [3, 4]), (2, [3, 4])):  # one at least
        whole = memory.context_batch(4, size, rng, in_order=True)
        assert len(whole) in fit
        assert (np.diff(whole[:, 0]) != 0).sum() == (size == 7)


def test_a_state_goes_on_alike(memory, make_path):
    for task in (4, 7, 9):
        memory.add(task, _row(task), np.full(2, task))
        memory.collected(task, make_path(seed=task, env_infos={"achieved": np.ones(5), "name": ["a"] * 5}))
        memory.visited(task, _row(task + 1.0), 3)
    state = memory.state_dict()
    twin = TaskMemory([4, 7, 9], 6, 3, np.random.default_rng(5))
    twin.collected(9, make_path(seed=1))  # goes when the state comes
    twin.load_state_dict(state)
    for i in range(10):
        for one in (memory, twin):
            one.add(4, _row(i), np.full(2, i))
            one.visited(7, _row(-1.0), 3)
    assert len(twin.pooled_paths(9)) == len(memory.pooled_paths(9)) == 3
    np.testing.assert_array_equal(twin.trajectories(4, 5), memory.trajectories(4, 5))
    np.testing.assert_array_equal(twin.initial_obs(9, 2), memory.initial_obs(9, 2))
    np.testing.assert_array_equal(twin.contexts(7, 4), memory.contexts(7, 4))
    (path, *_) = twin.pooled_paths(1)
    np.testing.assert_equal(path["env_infos"], {"achieved": np.ones(5), "name": ["a"] * 5})


def test_a_restored_memory_keeps_as_much_as_it_had_come_to(memory):
    memory.add(4, _row(0.0), np.full(2, 0.0))
    memory.initial_obs(4, 8)  # more than it was to keep: eight from now on
    twin = TaskMemory([4, 7, 9], 6, 3, np.random.default_rng(5))
    twin.load_state_dict(memory.state_dict())
    for i in range(1, 8):
        twin.add(4, _row(i), np.full(2, i))
    assert len(np.unique(twin.initial_obs(4, 8)[:, 0])) == 8


def test_without_recent_paths_there_is_no_pool(memory, make_path):
    assert not memory.has_recent_paths()
    with pytest.raises(ValueError, match="no path has been collected"):
        memory.pooled_paths(1)
    memory.collected(7, make_path(seed=0))
    assert memory.has_recent_paths()
