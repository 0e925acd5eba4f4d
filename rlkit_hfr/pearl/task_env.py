"""What PEARL asks of an environment: gym's interface of four values, and tasks by index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rlkit_hfr.state import State


class Space(Protocol):
    """A space of arrays."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...


class TaskEnv(Protocol):
    """S: size of an observation, A: of an action in [-1, 1]."""

    @property
    def observation_space(self) -> Space: ...
    @property
    def action_space(self) -> Space: ...
    def get_all_task_idx(self) -> Sequence[int]: ...
    def reset_task(self, idx: int) -> object:
        """From the next `reset` on, the task is `idx`."""

    def reset(self) -> np.ndarray:
        """The first observation, (S,)."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, Mapping[str, Any]]:
        """action: (A,). The next observation (S,), reward, terminal and infos."""

    def seed(self, seed: int) -> object: ...


@runtime_checkable
class Restorable(Protocol):
    """An environment that a checkpoint can hold: where its generators are, between two episodes."""

    def random_state(self) -> State: ...
    def set_random_state(self, state: State) -> None: ...
