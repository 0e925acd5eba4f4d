"""What this package asks of things that others have written: environments, replay buffers,
agents, algorithms and their loggers. Nobody derives from these classes.
"""

from __future__ import annotations

from typing import Callable, Iterable, Mapping, Protocol, Sequence, Union, runtime_checkable

import numpy as np
from torch import Tensor, nn

from rlkit_hfr.paths import Info, PathDict
from rlkit_hfr.state import State

Rows = Union[np.ndarray, Tensor]  # one row per transition
Batch = Mapping[str, Rows]


class Space(Protocol):
    """A space of arrays."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...


class Spaces(Protocol):
    """The sizes of an environment. S: of an observation, A: of an action in [-1, 1]."""

    @property
    def observation_space(self) -> Space: ...
    @property
    def action_space(self) -> Space: ...


class Env(Spaces, Protocol):
    """gym's interface of four values, and tasks by index."""

    def reset_task(self, idx: int) -> object:
        """From the next `reset` on, the task is `idx`."""

    def reset(self) -> np.ndarray:
        """The first observation, (S,)."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, Info]:
        """action: (A,). The next observation (S,), reward, terminal and infos."""


class TaskEnv(Env, Protocol):
    """What the built-in PEARL asks besides."""

    def get_all_task_idx(self) -> Sequence[int]: ...
    def seed(self, seed: int) -> object: ...


class TaskFamily(TaskEnv, Protocol):
    """An environment that knows the vectors of its tasks."""

    @property
    def tasks(self) -> np.ndarray:
        """(n_tasks, G)."""


@runtime_checkable
class Restorable(Protocol):
    """An environment that a checkpoint can hold: where its generators are, between two episodes."""

    def random_state(self) -> State: ...
    def set_random_state(self, state: State) -> None: ...


class Actor(Protocol):
    """What acts in a sampler. z: (N, Z), what each of N tasks side by side is acted on by."""

    z: Tensor

    def get_actions(self, obs: np.ndarray, deterministic: bool = False) -> np.ndarray:
        """obs: (N, S), row i conditioned on z[i]. Returns (N, A) in [-1, 1]."""


class TaskBuffer(Protocol):
    """A replay buffer of one task."""

    def add_path(self, path: PathDict) -> None: ...
    def random_batch(self, batch_size: int) -> Batch: ...
    def num_steps_can_sample(self) -> int: ...
    def clear(self) -> None: ...

    # asked for by checkpoints alone, which not every host's buffers can be part of
    def state_dict(self) -> State: ...
    def load_state_dict(self, state: State) -> None: ...


class MultiTaskBuffer(Protocol):
    """A host's replay buffer: one of each task."""

    @property
    def task_buffers(self) -> Mapping[int, TaskBuffer]: ...

    def random_batch(self, task: int, batch_size: int) -> Batch: ...


class Agent(Protocol):
    """Of what else it has, a host's conventions differ: see `rlkit_hfr.hosts`."""

    @property
    def policy(self) -> nn.Module: ...


class Critics(Protocol):
    """The object that holds a host's critics: the algorithm or its trainer."""

    @property
    def qf1(self) -> nn.Module: ...
    @property
    def qf2(self) -> nn.Module: ...


class HostAlgorithm(Protocol):
    """A PEARL algorithm that a relabeler can be attached to."""

    @property
    def agent(self) -> Agent: ...
    @property
    def env(self) -> Env: ...
    @property
    def train_tasks(self) -> Iterable[int]: ...
    @property
    def replay_buffer(self) -> MultiTaskBuffer: ...
    @property
    def enc_replay_buffer(self) -> MultiTaskBuffer: ...


class TableLogger(Protocol):
    """rlkit's logger, which is a module in oyster and an object in rlkit."""

    def record_tabular(self, key: str, value: float) -> None: ...


Policy = Callable[[Tensor, Tensor], object]  # (obs (R, S), z (R, Z)) -> whatever a host's policy returns
