"""What scoring needs of a PEARL implementation, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.protocols import Batch, Env


class HostView(Protocol):
    """The host's networks as functions, called inside `isolated`. Rows R; every output of
    a critic or value is (R, 1).
    """

    def isolated(self) -> AbstractContextManager[None]:
        """Within the block nothing leaves a trace in the host: no random stream, module or
        agent is changed afterwards.
        """

    def version(self) -> object:
        """Something that changes whenever the networks are updated."""

    def has_transitions(self, tasks: Sequence[int]) -> bool:
        """Whether the RL buffer holds data of every task."""

    @property
    def device(self) -> torch.device: ...

    @property
    def reward_scale(self) -> float: ...

    @property
    def discount(self) -> float: ...

    @property
    def sparse_rewards(self) -> bool:
        """Whether the context's reward is the sparse one."""

    @property
    def layout(self) -> ContextLayout:
        """The columns of a context row."""

    @property
    def context_batch_size(self) -> int:
        """Rows of a context batch."""

    def posterior(self, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """q(z|c): context (P, T, D), mask (P, T) -> means and variances (P, Z)."""

    def action(self, obs: Tensor, z: Tensor, noise: Callable[..., Tensor]) -> Tensor:
        """a ~ pi(.|s, z), (R, A), with standard normal noise from ``noise(*shape)``."""

    def critics(self, obs: Tensor, action: Tensor, z: Tensor) -> tuple[Tensor, Tensor]: ...

    def value(self, obs: Tensor, z: Tensor, noise: Callable[..., Tensor]) -> Tensor:
        """The target network's V(s, z), or a sample of the soft value of the target critics."""

    def simulator(self) -> tuple[Env, int]:
        """A copy of the environment, and the length at which an episode is cut."""

    def transitions(self, task: int, number: int, rng: np.random.Generator) -> Batch:
        """`number` transitions of the task's RL buffer, drawn with `rng` and not with the
        host's generators.
        """
