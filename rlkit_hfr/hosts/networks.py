"""A PEARL implementation's networks as the side-effect-free functions that scoring needs."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rlkit_hfr.pearl.agent import product_of_gaussians


class OysterNetworks:
    """Hosts of the oyster family: nets on the algorithm, tuple-valued policy, product-of-Gaussians encoder.

    Everything is looked up on the algorithm at call time, because weights are loaded and networks moved after construction. The agent's
    own methods are not used: they overwrite its z and draw from the global random generators.
    """

    def __init__(self, algorithm: Any) -> None:
        self._algorithm = algorithm

    @property
    def reward_scale(self) -> float:
        return float(self._algorithm.reward_scale)

    @property
    def discount(self) -> float:
        return float(self._algorithm.discount)

    @property
    def sparse_rewards(self) -> bool:
        return bool(getattr(self._algorithm, "sparse_rewards", False))

    @property
    def use_next_obs_in_context(self) -> bool:
        return bool(getattr(self._algorithm, "use_next_obs_in_context", False))

    @property
    def context_batch_size(self) -> int:
        return int(self._algorithm.embedding_batch_size)

    @property
    def device(self) -> torch.device:
        return next(self._algorithm.qf1.parameters()).device

    def posterior(self, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        agent = self._algorithm.agent
        params = agent.context_encoder(context.flatten(0, 1)).view(*context.shape[:2], -1)
        if not getattr(self._algorithm, "use_information_bottleneck", True):
            weight = mask.unsqueeze(-1).to(params.dtype)
            mean = (params * weight).sum(dim=1) / weight.sum(dim=1)
            return mean, torch.zeros_like(mean)
        latent_dim = agent.latent_dim
        return product_of_gaussians(params[..., :latent_dim], F.softplus(params[..., latent_dim:]), mask)

    def policy(self, obs: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        out = self._algorithm.agent.policy(torch.cat([obs, z], dim=-1), deterministic=True)
        return out[1], out[2]

    def critics(self, obs: Tensor, action: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return self._algorithm.qf1(obs, action, z), self._algorithm.qf2(obs, action, z)

    def value(self, obs: Tensor, z: Tensor) -> Tensor:
        return self._algorithm.target_vf(obs, z)

    def transitions(self, task: int, number: int, rng: np.random.Generator) -> Mapping[str, np.ndarray]:
        buffer = self._algorithm.replay_buffer
        with borrowed_randomness(buffer.task_buffers[task], rng):
            return buffer.random_batch(task, number)


@contextmanager
def borrowed_randomness(buffer: Any, rng: np.random.Generator) -> Iterator[None]:
    """Let a buffer draw from `rng` instead of the generator it holds or numpy's global one, and leave both as they were."""
    own = getattr(buffer, "rng", None)
    state = np.random.get_state()  # noqa: NPY002 (hosts draw from the global generator)
    np.random.seed(int(rng.integers(2**32)))  # noqa: NPY002
    if own is not None:
        buffer.rng = rng
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        if own is not None:
            buffer.rng = own
