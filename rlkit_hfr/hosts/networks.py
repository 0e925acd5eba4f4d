"""A PEARL implementation's networks as the side-effect-free functions that scoring needs."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit_hfr.hosts.errors import UnsupportedHost
from rlkit_hfr.hosts.isolation import borrowed_generator, isolated
from rlkit_hfr.hosts.shapes import normal_parameters, policy_call, sampled_action, value_call
from rlkit_hfr.pearl.agent import product_of_gaussians
from rlkit_hfr.pearl.networks import tanh_log_det

Noise = Callable[..., Tensor]
_PROBE_ROWS = 3


class HostNetworks:
    """Networks are looked up on their owner at call time, because weights are loaded, swapped and moved after construction; how they
    want to be called is found out once, at attach, by calling them with dummy rows."""

    def __init__(self, algorithm: Any, owner: Any, seed: int) -> None:
        """owner: where the host keeps its networks, reward scale and discount; seed: of what its own code draws while it scores."""
        self._algorithm, self._owner, self._agent = algorithm, owner, algorithm.agent
        self._seeds = np.random.default_rng(seed)
        self._found = f"got {type(algorithm).__name__}"
        space, actions = algorithm.env.observation_space, algorithm.env.action_space
        self._obs_dim, self._action_dim = int(np.prod(space.shape)), int(np.prod(actions.shape))
        self.latent_dim = int(self._agent.latent_dim)
        self.use_next_obs_in_context = self._next_obs_by_width()
        with self.isolated():
            self._probe()

    # Settings, read when they are used: HOSTS of the rlkit family keep the effective ones on the trainer.
    @property
    def reward_scale(self) -> float:
        return float(self._setting("reward_scale"))

    @property
    def discount(self) -> float:
        return float(self._setting("discount"))

    @property
    def sparse_rewards(self) -> bool:
        return bool(getattr(self._algorithm, "sparse_rewards", False))

    @property
    def context_batch_size(self) -> int:
        return int(getattr(self._algorithm, "embedding_batch_size", 64))

    @property
    def device(self) -> torch.device:
        return next(self._owner.qf1.parameters()).device

    def _get(self, name: str) -> Callable[[], nn.Module]:
        return lambda: getattr(self._owner, name)

    def _setting(self, name: str) -> Any:
        return getattr(self._owner, name) if hasattr(self._owner, name) else getattr(self._algorithm, name)

    @contextmanager
    def isolated(self) -> Iterator[None]:
        """Everything that this object runs belongs inside: it leaves the host's random streams, modules and agent as they were."""
        with isolated(self._modules(), self._agent, self.device, int(self._seeds.integers(2**31))):
            yield

    def _modules(self) -> list[nn.Module]:
        names = ("qf1", "qf2", "vf", "target_vf", "target_qf1", "target_qf2")
        nets = [getattr(self._owner, name, None) for name in names] + [self._agent]
        return [net for net in nets if isinstance(net, nn.Module)]

    # What the host has, found out at attach.
    def _next_obs_by_width(self) -> bool:
        """Whether context rows end with the next observation, by the encoder's input width where it tells."""
        encoder = self._agent.context_encoder
        width = getattr(encoder, "input_size", None)
        if width is None:
            width = next((m.in_features for m in encoder.modules() if isinstance(m, nn.Linear)), None)
        flag = bool(getattr(self._algorithm, "use_next_obs_in_context", False))
        if width is None:
            return flag
        short = self._obs_dim + self._action_dim + 1
        expected = short + self._obs_dim if flag else short
        if width != expected:
            raise UnsupportedHost(
                f"{self._found} whose context encoder takes rows of {width}; expected {expected}: observation {self._obs_dim}, "
                f"action {self._action_dim}, reward 1{', next observation' if flag else ''}; check use_next_obs_in_context"
            )
        return flag

    def _probe(self) -> None:
        def rows(width: int) -> Tensor:
            return torch.randn(_PROBE_ROWS, width, device=self.device)

        obs, action, z = rows(self._obs_dim), rows(self._action_dim).tanh(), rows(self.latent_dim)
        self._probe_critics(obs, action, z)
        self._policy = policy_call(lambda: self._agent.policy, obs, z)
        if self._policy is None or (normal_parameters(self._policy(obs, z)) is None and sampled_action(self._policy(obs, z)) is None):
            raise UnsupportedHost(
                f"{self._found} whose policy can't be called; tried policy(obs and z joined) and policy(obs, z), expecting a tuple that "
                "begins with the action, or a distribution"
            )
        self._knows_normal = normal_parameters(self._policy(obs, z)) is not None
        self._probe_posterior()
        self._value = self._find_value(obs, action, z)

    def _probe_critics(self, obs: Tensor, action: Tensor, z: Tensor) -> None:
        parts = ("obs", "action", "z")
        own_min = getattr(self._owner, "_min_q", None)
        calls = []
        for name in ("qf1", "qf2"):
            call = value_call(self._get(name), parts, (obs, action, z))
            if call is None:
                raise UnsupportedHost(
                    f"{self._found} whose {name} can't be called; tried {name}(obs, action, z) and joined inputs, expecting (rows, 1)"
                )
            calls.append(call)
        if callable(own_min):
            calls = self._agreeing_with(own_min, calls, parts, (obs, action, z))
        self._qf1, self._qf2 = calls

    def _agreeing_with(self, own_min: Callable[..., Tensor], calls: list[Any], parts: tuple[str, ...], inputs: tuple[Tensor, ...]) -> list[Any]:
        """Where the host computes its own minimum, take the order of inputs that gives the same: some critics join inputs in any order."""
        try:
            expected = own_min(*inputs).reshape(-1, 1)
        except (RuntimeError, TypeError, ValueError, AttributeError):
            return calls
        if torch.allclose(torch.min(calls[0](*inputs), calls[1](*inputs)), expected, atol=1e-4):
            return calls
        found: list[Any] = []

        def agrees(call: Any) -> bool:
            second = value_call(self._get("qf2"), parts, inputs, lambda other: bool(
                torch.allclose(torch.min(call(*inputs), other(*inputs)), expected, atol=1e-4)))  # fmt: skip
            if second is None:
                return False
            found[:] = [call, second]
            return True

        return found if value_call(self._get("qf1"), parts, inputs, agrees) is not None else calls

    def _probe_posterior(self) -> None:
        """Take the fast product of Gaussians if it is what the host infers, else the host's own inference."""
        width = self._obs_dim + self._action_dim + 1 + (self._obs_dim if self.use_next_obs_in_context else 0)
        context = torch.randn(2, 5, width, device=self.device)
        mask = torch.ones(2, 5, dtype=torch.bool, device=self.device)
        own = self._own_posterior(context)
        self._posterior = self._fast_posterior
        try:
            fast = self._fast_posterior(context, mask)
        except (RuntimeError, TypeError, ValueError):
            fast = None
        if own is None and fast is None:
            raise UnsupportedHost(f"{self._found} whose encoder gives no posterior; expected agent.infer_posterior or agent.latent_posterior")
        if own is not None and (fast is None or not _alike(own, fast)):
            self._posterior = self._grouped_posterior

    def _find_value(self, obs: Tensor, action: Tensor, z: Tensor) -> Callable[[Tensor, Tensor, Noise], Tensor] | None:
        if isinstance(getattr(self._owner, "target_vf", None), nn.Module):
            call = value_call(self._get("target_vf"), ("obs", "z"), (obs, z))
            return None if call is None else lambda o, latent, noise: call(o, latent)
        names = ("target_qf1", "target_qf2")
        if not all(isinstance(getattr(self._owner, name, None), nn.Module) for name in names) or not self._knows_normal:
            return None
        pair = [value_call(self._get(name), ("obs", "action", "z"), (obs, action, z)) for name in names]
        return None if any(call is None for call in pair) else lambda o, latent, noise: self._soft_value(pair, o, latent, noise)

    def _soft_value(self, targets: list[Any], obs: Tensor, z: Tensor, noise: Noise) -> Tensor:
        """V(s, z) = min target Q(s, a, z) - alpha log pi(a|s, z), a ~ pi, for hosts without a V network."""
        assert self._policy is not None
        parameters = normal_parameters(self._policy(obs, z))
        assert parameters is not None
        mean, std = parameters
        eps = noise(*mean.shape)
        pre_tanh = mean + std * eps
        log_pi = (-0.5 * eps.square() - std.log() - 0.5 * math.log(2 * math.pi) - tanh_log_det(pre_tanh)).sum(dim=-1, keepdim=True)
        action = torch.tanh(pre_tanh)
        return torch.min(targets[0](obs, action, z), targets[1](obs, action, z)) - self._temperature() * log_pi

    def _temperature(self) -> Tensor | float:
        """The entropy weight: exp(log_alpha), alpha, or 1."""
        for holder in (self._owner, self._algorithm):
            if getattr(holder, "log_alpha", None) is not None:
                return torch.as_tensor(holder.log_alpha).exp()
            if getattr(holder, "alpha", None) is not None:
                return holder.alpha
        return 1.0

    # The functions of `rlkit_hfr.relabelers.scorer.Networks`.
    def require_value(self, relabeler: str) -> None:
        if self._value is None:
            raise UnsupportedHost(
                f"{self._found} without a target V or target critics that can be called; {relabeler!r} needs target_vf, or target_qf1 and "
                "target_qf2 with a tanh-Gaussian policy; choose another relabeler"
            )

    def posterior(self, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return self._posterior(context, mask)

    def _fast_posterior(self, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        params = self._agent.context_encoder(context.flatten(0, 1)).view(*context.shape[:2], -1)
        if params.shape[-1] == self.latent_dim:  # no information bottleneck: the mean of the rows
            weight = mask.unsqueeze(-1).to(params.dtype)
            mean = (params * weight).sum(dim=1) / weight.sum(dim=1)
            return mean, torch.zeros_like(mean)
        return product_of_gaussians(params[..., : self.latent_dim], F.softplus(params[..., self.latent_dim:]), mask)

    def _own_posterior(self, context: Tensor) -> tuple[Tensor, Tensor] | None:
        """The host's own inference on contexts of one length; None if it has none that we know."""
        agent = self._agent
        if callable(getattr(agent, "latent_posterior", None)):  # rlkit: torch/smac/agent.py, a pure function
            posterior = agent.latent_posterior(context)
            return posterior.mean, posterior.stddev.square()
        if callable(getattr(agent, "infer_posterior", None)):  # oyster: torch/sac/agent.py, overwrites the belief, which `isolated` puts back
            agent.infer_posterior(context)
            variances = agent.z_vars
            return agent.z_means, variances if variances.shape == agent.z_means.shape and self._has_bottleneck() else torch.zeros_like(agent.z_means)
        return None

    def _has_bottleneck(self) -> bool:
        return bool(getattr(self._algorithm, "use_information_bottleneck", getattr(self._owner, "use_information_bottleneck", True)))

    def _grouped_posterior(self, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The host's own inference, once for each length among the contexts."""
        lengths = mask.sum(dim=1)
        means = context.new_empty(len(context), self.latent_dim)
        variances = torch.empty_like(means)
        for length in lengths.unique().tolist():
            rows = lengths == length
            own = self._own_posterior(context[rows, :length])
            assert own is not None
            means[rows], variances[rows] = own
        return means, variances

    def action(self, obs: Tensor, z: Tensor, noise: Noise) -> Tensor:
        assert self._policy is not None
        out = self._policy(obs, z)
        parameters = normal_parameters(out) if self._knows_normal else None
        if parameters is None:
            action = sampled_action(out)
            assert action is not None
            return action
        mean, std = parameters
        return torch.tanh(mean + std * noise(*mean.shape))

    def critics(self, obs: Tensor, action: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return self._qf1(obs, action, z), self._qf2(obs, action, z)

    def value(self, obs: Tensor, z: Tensor, noise: Noise) -> Tensor:
        assert self._value is not None
        return self._value(obs, z, noise)

    def transitions(self, task: Any, number: int, rng: np.random.Generator) -> Mapping[str, np.ndarray]:
        buffer = self._algorithm.replay_buffer
        with borrowed_generator(buffer.task_buffers[task], rng):
            return buffer.random_batch(task, number)


def _alike(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> bool:
    return all(a.shape == b.shape and torch.allclose(a, b, atol=1e-4) for a, b in zip(first, second, strict=True))
