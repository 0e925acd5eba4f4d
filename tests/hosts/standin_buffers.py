"""Replay buffers like those of oyster, rlkit and their descendants."""

from __future__ import annotations

from typing import Any

import numpy as np
from worlds import ACT, OBS


class TaskBuffer:
    """Preallocated arrays, draws from numpy's global generator."""

    def __init__(self, size: int = 5000) -> None:
        self._rows = {
            key: np.zeros((size, dim)) for key, dim in dict(o=OBS, a=ACT, r=1, o2=OBS, d=1, sparse=1).items()
        }
        self.clear()

    def clear(self) -> None:
        self._top = self._size = 0
        self._starts: list[int] = []

    def add_path(self, path: dict[str, Any]) -> None:
        steps = zip(
            path["observations"],
            path["actions"],
            path["rewards"],
            path["next_observations"],
            path["terminals"],
            path["agent_infos"],
            path["env_infos"],
        )
        self._starts.append(self._top)
        for o, a, r, o2, d, _, info in steps:
            for key, value in dict(o=o, a=a, r=r, o2=o2, d=d, sparse=info.get("sparse_reward", 0)).items():
                self._rows[key][self._top] = value
            self._top += 1
            self._size += 1

    def random_batch(self, batch_size: int) -> dict[str, np.ndarray]:
        return self._rows_at(np.random.randint(0, self._size, batch_size))  # noqa: NPY002

    def _rows_at(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        names = dict(
            observations="o",
            actions="a",
            rewards="r",
            next_observations="o2",
            terminals="d",
            sparse_rewards="sparse",
        )
        return {name: self._rows[key][rows] for name, key in names.items()}

    def num_steps_can_sample(self) -> int:
        return self._size


class Buffer:
    def __init__(self, tasks: Any) -> None:
        self.task_buffers = {task: TaskBuffer() for task in tasks}

    def add_path(self, task: Any, path: dict[str, Any]) -> None:
        self.task_buffers[task].add_path(path)

    def add_paths(self, task: Any, paths: list[dict[str, Any]]) -> None:
        for path in paths:
            self.task_buffers[task].add_path(path)

    def random_batch(self, task: Any, batch_size: int, sequence: bool = False) -> dict[str, np.ndarray]:
        assert not sequence
        return self.task_buffers[task].random_batch(batch_size)

    def num_steps_can_sample(self, task: Any) -> int:
        return self.task_buffers[task].num_steps_can_sample()


# rlkit's samples contexts and batches by itself.
class RlkitBuffer(Buffer):
    def sample_context(self, indices: Any, batch_size: int) -> np.ndarray:
        if not hasattr(indices, "__iter__"):
            indices = [indices]
        batches = [self.random_batch(idx, batch_size=batch_size) for idx in indices]
        return np.stack(
            [np.concatenate([b["observations"], b["actions"], b["rewards"]], axis=1) for b in batches]
        )

    def sample_batch(self, indices: Any, batch_size: int) -> list[dict[str, np.ndarray]]:
        return [self.random_batch(idx, batch_size=batch_size) for idx in indices]


class ChainedBuffer(Buffer):
    """`add_paths` is built on `add_path`."""

    def add_paths(self, task: Any, paths: list[dict[str, Any]]) -> None:
        for path in paths:
            self.add_path(task, path)


class SequenceTaskBuffer(TaskBuffer):
    def random_sequence(self, batch_size: int) -> dict[str, np.ndarray]:
        start = int(np.random.choice(self._starts))  # noqa: NPY002
        rows = slice(start, start + batch_size)
        names = dict(observations="o", actions="a", rewards="r", sparse_rewards="sparse")
        return {name: self._rows[key][: self._size][rows] for name, key in names.items()}


class SequenceBuffer(Buffer):
    def __init__(self, tasks: Any) -> None:
        self.task_buffers = {task: SequenceTaskBuffer() for task in tasks}

    def random_batch(self, task: Any, batch_size: int, sequence: bool = False) -> dict[str, np.ndarray]:
        inner = self.task_buffers[task]
        return inner.random_sequence(batch_size) if sequence else inner.random_batch(batch_size)


class GeneratorBuffer(TaskBuffer):
    def random_batch(self, batch_size: int) -> dict[str, np.ndarray]:
        return self._rows_at(self._random.integers(0, self._size, batch_size))
