"""Where a PEARL implementation keeps its networks, settings and sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from rlkit_hfr.hosts.errors import UnsupportedHost
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.protocols import Critics, HostAlgorithm

_NETWORKS = ("qf1", "qf2", "vf", "target_vf", "target_qf1", "target_qf2")


class HostParts:
    """An algorithm, its agent, and the owner of its critics, reward scale and discount.

    The agent and networks are looked up at call time, because they are loaded, swapped and moved after
    construction.
    """

    def __init__(self, algorithm: HostAlgorithm, owner: Critics) -> None:
        """Raises UnsupportedHost where a setting that scoring needs is missing."""
        self.algorithm = algorithm
        self.owner = owner
        self.found = f"got {type(algorithm).__name__}"
        self.obs_dim = int(np.prod(algorithm.env.observation_space.shape))
        self.action_dim = int(np.prod(algorithm.env.action_space.shape))
        self.latent_dim = self._latent_dim()
        for name in ("reward_scale", "discount"):
            if not hasattr(owner, name) and not hasattr(algorithm, name):
                raise UnsupportedHost(
                    f"{self.found} without {name}; expected it on the algorithm or its trainer"
                )

    @property
    def agent(self) -> Any:
        return self.algorithm.agent

    def _latent_dim(self) -> int:
        """What the agent says, or else the width of its z."""
        stated, z = getattr(self.agent, "latent_dim", None), getattr(self.agent, "z", None)
        if stated is None and not (isinstance(z, torch.Tensor) and z.ndim):
            raise UnsupportedHost(
                f"{self.found} whose agent has no latent_dim and no z; expected the number of latent"
                " dimensions, or a tensor z of as many columns"
            )
        return int(z.shape[-1]) if stated is None else int(stated)  # type: ignore[union-attr]

    @property
    def context_encoder(self) -> nn.Module | None:
        """The one encoder of an agent like oyster's; None where there are several, or none by this name."""
        return getattr(self.agent, "context_encoder", None)

    def encoders(self) -> list[nn.Module]:
        """What the agent infers with: every network of it but the policy."""
        one = self.context_encoder
        if one is not None:
            return [one]
        own = [part for part in vars(self.agent).values() if isinstance(part, nn.Module)]
        own += list(self.agent.children()) if isinstance(self.agent, nn.Module) else []
        return [
            part for part in own if part is not self.agent.policy and any(True for _ in part.parameters())
        ]

    def get(self, name: str) -> Callable[[], nn.Module]:
        """How to look up a network of the owner."""
        return lambda: getattr(self.owner, name)

    def setting(self, name: str) -> float:
        """A number of the owner, or else of the algorithm: the rlkit family keeps the
        effective ones on its trainer.
        """
        return float(getattr(self.owner if hasattr(self.owner, name) else self.algorithm, name))

    @property
    def device(self) -> torch.device:
        return next(self.owner.qf1.parameters()).device

    def modules(self) -> list[nn.Module]:
        nets = [getattr(self.owner, name, None) for name in _NETWORKS]
        nets += [self.agent, *self.encoders(), self.agent.policy]
        return [net for net in nets if isinstance(net, nn.Module)]

    def layout(self, with_next_obs: bool) -> ContextLayout:
        return ContextLayout(self.obs_dim, self.action_dim, with_next_obs)
