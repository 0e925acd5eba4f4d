"""Replay buffers of transitions, one per task; float32, and no larger than what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from rlkit_hfr.paths import PathDict, info_column
from rlkit_hfr.protocols import Spaces
from rlkit_hfr.state import State, as_tensor, rng_state, set_rng_state

_INITIAL_ROWS = 256


class SimpleReplayBuffer:
    """A ring of at most `max_replay_buffer_size` transitions of one task. Memory doubles as it fills."""

    def __init__(
        self,
        max_replay_buffer_size: int,
        observation_dim: int,
        action_dim: int,
        rng: np.random.Generator,
        observation_dtype: np.dtype | type = np.float32,
    ) -> None:
        self._max_replay_buffer_size = max_replay_buffer_size
        self.observation_dim = observation_dim
        self.action_dim = action_dim
        self.rng = rng
        rows = min(_INITIAL_ROWS, max_replay_buffer_size)
        self._observations = np.empty((rows, observation_dim), observation_dtype)
        self._next_obs = np.empty((rows, observation_dim), observation_dtype)
        self._actions = np.empty((rows, action_dim), np.float32)
        self._rewards = np.empty((rows, 1), np.float32)
        self._sparse_rewards = np.empty((rows, 1), np.float32)
        self._terminals = np.empty((rows, 1), np.uint8)
        self.clear()

    def _columns(self) -> dict[str, np.ndarray]:
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}

    def clear(self) -> None:
        self._top = 0
        self._size = 0

    def num_steps_can_sample(self) -> int:
        return self._size

    def _reserve(self, rows: int) -> None:
        """Grow the ring to at least `rows`; only ever called before it wraps."""
        capacity = len(self._rewards)
        if rows <= capacity:
            return
        rows = min(max(rows, 2 * capacity), self._max_replay_buffer_size)
        for name, column in self._columns().items():
            grown = np.empty((rows, *column.shape[1:]), column.dtype)
            grown[: self._size] = column[: self._size]
            setattr(self, name, grown)

    def add_path(self, path: PathDict) -> None:
        """Append the transitions of a path; the oldest are overwritten once the ring is full."""
        steps = min(len(path["rewards"]), self._max_replay_buffer_size)
        self._reserve(min(self._size + steps, self._max_replay_buffer_size))
        sparse = info_column(path, "sparse_reward")
        at = np.arange(self._top, self._top + steps) % len(self._rewards)
        self._observations[at] = path["observations"][-steps:]
        self._next_obs[at] = path["next_observations"][-steps:]
        self._actions[at] = path["actions"][-steps:]
        self._rewards[at] = np.reshape(path["rewards"], (-1, 1))[-steps:]
        self._terminals[at] = np.reshape(path["terminals"], (-1, 1))[-steps:]
        self._sparse_rewards[at] = 0.0 if sparse is None else sparse[-steps:]
        self._top = (self._top + steps) % self._max_replay_buffer_size
        self._size = min(self._size + steps, self._max_replay_buffer_size)

    def random_batch(self, batch_size: int) -> dict[str, np.ndarray]:
        """`batch_size` transitions, uniformly with replacement; every value is (batch_size, dim)."""
        if self._size == 0:
            raise ValueError(
                "this task's replay buffer is empty; collect data for every task before sampling from it"
            )
        return self.take(self.rng.integers(0, self._size, batch_size))

    def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The transitions of `rows` (N,), indices below `num_steps_can_sample()`; values are (N, dim)."""
        return dict(
            observations=self._observations[rows],
            actions=self._actions[rows],
            rewards=self._rewards[rows],
            terminals=self._terminals[rows],
            next_observations=self._next_obs[rows],
            sparse_rewards=self._sparse_rewards[rows],
        )

    def unusual_rows(self) -> np.ndarray:
        """Indices of the transitions whose reward, sparse where there are sparse ones, is not the most
        frequent: under a sparse reward those that paid, under a dense one all but a few."""
        column = self._sparse_rewards if self._sparse_rewards[: self._size].any() else self._rewards
        values, index, counts = np.unique(column[: self._size, 0], return_inverse=True, return_counts=True)
        return np.flatnonzero(index != np.argmax(counts)) if len(values) else np.zeros(0, int)

    def state_dict(self) -> State:
        """The rows in use and where the next one goes; the generator, which is shared, is
        its owner's to save.
        """
        rows = {name: as_tensor(column[: self._size]) for name, column in self._columns().items()}
        return dict(top=self._top, size=self._size, rows=rows)

    def load_state_dict(self, state: State) -> None:
        self._size = 0
        self._reserve(state["size"])
        for name, column in self._columns().items():
            column[: state["size"]] = state["rows"][name].numpy()
        self._top = state["top"]
        self._size = state["size"]


class MultiTaskReplayBuffer:
    """One `SimpleReplayBuffer` per training task, in `task_buffers`; all draw from one random generator."""

    def __init__(
        self,
        max_replay_buffer_size: int,
        env: Spaces,
        tasks: Iterable[int],
        rng: np.random.Generator,
    ) -> None:
        self.rng = rng
        space = env.observation_space
        dtype = space.dtype if space.dtype == np.uint8 else np.float32
        self.task_buffers = {
            task: SimpleReplayBuffer(
                max_replay_buffer_size,
                int(np.prod(space.shape)),
                int(np.prod(env.action_space.shape)),
                rng,
                dtype,
            )
            for task in tasks
        }

    def add_path(self, task: int, path: PathDict) -> None:
        self.add_paths(task, [path])

    def add_paths(self, task: int, paths: Sequence[PathDict]) -> None:
        for path in paths:
            self.task_buffers[task].add_path(path)

    def random_batch(self, task: int, batch_size: int) -> dict[str, np.ndarray]:
        return self.task_buffers[task].random_batch(batch_size)

    def num_steps_can_sample(self, task: int) -> int:
        return self.task_buffers[task].num_steps_can_sample()

    def clear_buffer(self, task: int) -> None:
        self.task_buffers[task].clear()

    def state_dict(self) -> State:
        return dict(
            rng=rng_state(self.rng),
            tasks={task: buffer.state_dict() for task, buffer in self.task_buffers.items()},
        )

    def load_state_dict(self, state: State) -> None:
        set_rng_state(self.rng, state["rng"])
        for task, buffer in self.task_buffers.items():
            buffer.load_state_dict(state["tasks"][task])
