"""Copies of buffers of unknown classes: rows are copied, what is no storage is shared."""

from __future__ import annotations

import numpy as np

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
