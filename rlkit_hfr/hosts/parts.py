"""Where a PEARL implementation keeps its networks, settings and sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from rlkit_hfr.hosts.errors import UnsupportedHost
from rlkit_hfr.paths import ContextLayout

_NETWORKS = ("qf1", "qf2", "vf", "target_vf", "target_qf1", "target_qf2")


class HostParts:
    """An algorithm, its agent, and the owner of its critics, reward scale and discount.

    Networks are looked up at call time, because weights are loaded, swapped and moved after construction.
    """

    def __init__(self, algorithm: Any, owner: Any) -> None:
        """Raises UnsupportedHost where a setting that scoring needs is missing."""
        self.algorithm = algorithm
        self.owner = owner
        self.agent = algorithm.agent
        self.found = f"got {type(algorithm).__name__}"
        self.obs_dim = int(np.prod(algorithm.env.observation_space.shape))
        self.action_dim = int(np.prod(algorithm.env.action_space.shape))
        self.latent_dim = int(self.agent.latent_dim)
        for name in ("reward_scale", "discount"):
            if not hasattr(owner, name) and not hasattr(algorithm, name):
                raise UnsupportedHost(
                    f"{self.found} without {name}; expected it on the algorithm or its trainer"
                )

    def get(self, name: str) -> Callable[[], nn.Module]:
        """How to look up a network of the owner."""
        return lambda: getattr(self.owner, name)

    def setting(self, name: str) -> Any:
        """A setting of the owner, or else of the algorithm: the rlkit family keeps the
        effective ones on its trainer.
        """
        return getattr(self.owner, name) if hasattr(self.owner, name) else getattr(self.algorithm, name)

    @property
    def device(self) -> torch.device:
        return next(self.owner.qf1.parameters()).device

    def modules(self) -> list[nn.Module]:
        nets = [getattr(self.owner, name, None) for name in _NETWORKS]
        nets += [self.agent, self.agent.context_encoder, self.agent.policy]
        return [net for net in nets if isinstance(net, nn.Module)]

    def layout(self, with_next_obs: bool) -> ContextLayout:
        return ContextLayout(self.obs_dim, self.action_dim, with_next_obs)
