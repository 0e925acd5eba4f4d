"""Copies of buffers of unknown classes: rows are copied, what is no storage is shared."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch

from rlkit_hfr.buffers.clone import clone_used, empty_like


class World:
    """Looks like an environment; has attributes that a copy could look into."""

    def __init__(self):
        self.visited = np.zeros(3)

    def step(self, action):
        raise NotImplementedError


class Sealed:
    __slots__ = ("size",)


class Buffer:
    def __init__(self):
        self.world, self.sealed = World(), Sealed()
        self.rows, self.top = np.zeros((5, 2)), 0

    def add(self, row):
        self.rows[self.top] = row
        self.top += 1

    def num_steps_can_sample(self):
        return self.top

    def clear(self):
        self.top = 0


def test_rows_are_copied_and_environments_and_sealed_objects_are_shared():
    buffer = Buffer()
    buffer.add(1.0)
    twin = clone_used(buffer)
    twin.add(2.0)
    assert (buffer.top, twin.top) == (1, 2)
    assert buffer.rows[:2].tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert twin.rows[:2].tolist() == [[1.0, 1.0], [2.0, 2.0]]
    assert twin.world is buffer.world
    assert twin.sealed is buffer.sealed


def test_an_empty_twin_has_the_size_and_none_of_the_rows():
    buffer = Buffer()
    buffer.add(1.0)
    twin = empty_like(buffer)
    assert twin.num_steps_can_sample() == 0
    assert twin.rows.tolist() == np.zeros((5, 2)).tolist()
    assert buffer.num_steps_can_sample() == 1


class _OysterLikeBuffer:
    """Preallocates its arrays like rlkit's."""

    def __init__(self):
        self._observations = np.zeros((10**7, 20))
        self._size, self._starts, self._infos = 0, [], {"x": np.zeros((10**7, 1))}

    def clear(self):
        self._size, self._starts = 0, []

    def num_steps_can_sample(self):
        return self._size


class _TorchBuffer:
    """Rows in tensors, inside a storage object, with a deque and a generator beside them."""

    def __init__(self):
        self.storage = type("Storage", (), {})()
        self.storage.rows, self.size = torch.zeros(100, 2), 0
        self.recent, self.rng, self.statistics = deque([1], maxlen=5), np.random.default_rng(0), np.ones(3)

    def clear(self):
        self.size = 0

    def num_steps_can_sample(self):
        return self.size


def test_copies_share_no_storage_of_any_kind():
    buffer = _TorchBuffer()
    buffer.storage.rows[:2], buffer.size = 7.0, 2
    twin, empty = clone_used(buffer), empty_like(buffer)
    twin.storage.rows[0] = 1.0
    twin.recent.append(2)
    empty.storage.rows[:] = 5.0
    assert buffer.storage.rows[0, 0] == 7.0
    assert list(buffer.recent) == [1]
    assert twin.storage.rows[1, 0] == 7.0
    assert twin.rng is buffer.rng
    np.testing.assert_array_equal(empty.statistics, buffer.statistics)  # not one row per transition


def test_copies_take_the_used_rows_alone():
    buffer = _OysterLikeBuffer()
    buffer._observations[:3] = 7.0
    buffer._infos["x"][:3] = 5.0
    buffer._size, buffer._starts = 3, [0]
    twin, empty = clone_used(buffer), empty_like(buffer)  # a deep copy of either would commit 1.7 GB
    assert (twin._size, twin._starts, empty._size, empty._starts) == (3, [0], 0, [])
    assert twin._observations.shape == buffer._observations.shape
    twin._observations[0], twin._infos["x"][0] = 1.0, 1.0
    twin._starts.append(9)
    assert buffer._observations[0, 0] == 7.0
    assert buffer._infos["x"][0] == 5.0
    assert buffer._starts == [0]
    assert twin._observations[2, 0] == 7.0
    assert not empty._observations[:10].any()
