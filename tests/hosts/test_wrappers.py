"""Stand-ins for methods: they pickle as the method, and follow the buffers."""

from __future__ import annotations

import copy
import pickle

import pytest
import standin_families
import standins

from rlkit_hfr import attach


@pytest.mark.parametrize("name", ["OysterLike", "RlkitLike"])
def test_whole_algorithms_pickle_and_copy_without_the_relabeling(name):
    algorithm = standins.EVERY[name]()
    attach(algorithm, "hfr", relabel_fraction=1.0)
    algorithm.train(2)
    algorithm.agent.clear_z()  # tensors with a graph can't be copied, attached or not
    for twin in (pickle.loads(pickle.dumps(algorithm)), copy.deepcopy(algorithm)):
        assert type(twin.enc_replay_buffer) is type(standins.EVERY[name]().enc_replay_buffer)
        assert twin.enc_replay_buffer.task_buffers.keys() == algorithm.enc_replay_buffer.task_buffers.keys()
        twin.train(1)  # it goes on by itself
    algorithm.train(1)  # and so does the one that relabels


def test_buffers_that_the_host_replaces_are_followed():
    algorithm = standin_families.OysterLike()
    attach(algorithm, "random", relabel_fraction=1.0, seed=0)
    algorithm.train(2)
    algorithm.agent.clear_z()
    algorithm.enc_replay_buffer.task_buffers = standin_families.Buffer(algorithm.task_ids).task_buffers
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    algorithm.train(1)
    algorithm.agent.clear_z()
    # another object: it serves un-relabeled, and nothing breaks
    algorithm.enc_replay_buffer = standin_families.Buffer(algorithm.task_ids)
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    algorithm.train(1)
