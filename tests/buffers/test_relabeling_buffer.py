"""A buffer class of a host that relabels: where paths go, what is served to whom, and what is left behind."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from three_tasks import TASKS

from rlkit_hfr import RelabelingMultiTaskReplayBuffer, attach, relabeling_buffer_class
from rlkit_hfr.buffers.training_context import TrainingContext
from rlkit_hfr.replay_buffer import MultiTaskReplayBuffer, SimpleReplayBuffer


def test_the_public_buffer_class_is_the_hosts_until_it_relabels(make_algorithm, make_path):
    env = make_algorithm().env
    ours = RelabelingMultiTaskReplayBuffer(100, env, [0, 1], np.random.default_rng(0))
    theirs = MultiTaskReplayBuffer(100, env, [0, 1], np.random.default_rng(0))
    for buffer in (ours, theirs):
        buffer.add_paths(0, [make_path(seed=1), make_path(seed=2)])
        buffer.add_path(1, make_path(seed=3))
    for task in (0, 1):
        np.testing.assert_equal(ours.random_batch(task, 9), theirs.random_batch(task, 9))
    assert issubclass(relabeling_buffer_class(MultiTaskReplayBuffer), MultiTaskReplayBuffer)
    with pytest.raises(ValueError, match="no multi-task replay buffer"):
        relabeling_buffer_class(SimpleReplayBuffer)


def test_pickles_of_attached_buffers_are_the_hosts_own(make_algorithm):
    algorithm = make_algorithm("four-corners")
    attach(algorithm, "hfr")
    for task in algorithm.train_tasks:
        algorithm.collect_data([task], 20)
    twin = pickle.loads(pickle.dumps(algorithm.enc_replay_buffer))
    assert type(twin) is MultiTaskReplayBuffer
    assert twin.num_steps_can_sample(0) == algorithm.enc_replay_buffer.num_steps_can_sample(0)


@pytest.fixture
def buffers(make_router):
    """The RL buffer and the encoder buffer of three tasks, whose paths all go to task 20."""
    box = SimpleNamespace(shape=(2,), dtype=np.dtype(np.float32))
    env = SimpleNamespace(observation_space=box, action_space=box)
    rl, encoder = (
        RelabelingMultiTaskReplayBuffer(100, env, TASKS, np.random.default_rng(0)) for _ in range(2)
    )
    router = make_router(tasks=20)
    rl.start_relabeling(router)
    encoder.start_relabeling(router, TrainingContext(encoder.task_buffers, np.random.default_rng(0)))
    return rl, encoder


def _sizes(buffer):
    return [buffer.num_steps_can_sample(task) for task in TASKS]


@pytest.mark.filterwarnings("ignore:hindsight rewards do not give back")
def test_a_moved_path_is_stored_for_its_new_task_and_collection_reads_the_original(buffers, make_path):
    rl, encoder = buffers
    path = make_path(5)
    rl.add_path(10, path)
    encoder.add_paths(10, [path])
    assert (_sizes(rl), _sizes(encoder)) == ([0, 5, 0], [5, 0, 0])
    assert (rl.random_batch(20, 9)["rewards"] == 20.0).all()
    recorded = set(path["rewards"][:, 0].tolist())
    assert set(encoder.random_batch(10, 50)["rewards"][:, 0].tolist()) == recorded
    with encoder.training_request():
        assert (encoder.random_batch(20, 9)["rewards"] == 20.0).all()
        with encoder.training_request():  # changes nothing
            assert _sizes(encoder)[1] == 5
    with encoder.originals_only(), encoder.training_request():
        assert _sizes(encoder) == [5, 0, 0]


def test_after_the_end_of_relabeling_paths_stay_where_they_were_collected(buffers, make_path):
    for buffer in buffers:
        assert buffer.is_relabeling
        buffer.stop_relabeling()
        assert not buffer.is_relabeling
        buffer.add_path(30, make_path(4))
        assert _sizes(buffer) == [0, 0, 4]
        with buffer.training_request():
            assert _sizes(buffer) == [0, 0, 4]
