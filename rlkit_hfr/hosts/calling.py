"""A PEARL implementation's networks as the side-effect-free functions that scoring needs."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit_hfr.hosts.errors import UnsupportedHost
from rlkit_hfr.hosts.isolation import borrowed_generators, isolated
from rlkit_hfr.hosts.probing import normal_parameters, own_posterior, policy_call, sampled_action, value_calls
from rlkit_hfr.hosts.soft_value import Noise, find_value
from rlkit_hfr.pearl.agent import product_of_gaussians
from rlkit_hfr.precision import check_precision, uses_bfloat16
from rlkit_hfr.state import State, rng_state, set_rng_state

_PROBE_ROWS = 16


class HostNetworks:
    """Networks are looked up on their owner at call time, because weights are loaded, swapped and moved after construction; how they
    want to be called is found out once, at attach, by calling them with dummy rows."""

    def __init__(self, algorithm: Any, owner: Any, seed: int) -> None:
        """owner: where the host keeps its networks, reward scale and discount; seed: of what its own code draws while it scores."""
        self._half = False
        self._algorithm, self._owner, self._agent = algorithm, owner, algorithm.agent
        self._seeds = np.random.default_rng(seed)
        self._found = f"got {type(algorithm).__name__}"
        space, actions = algorithm.env.observation_space, algorithm.env.action_space
        self._obs_dim, self._action_dim = int(np.prod(space.shape)), int(np.prod(actions.shape))
        self.latent_dim = int(self._agent.latent_dim)
        for name in ("reward_scale", "discount"):
            if not hasattr(owner, name) and not hasattr(algorithm, name):
                raise UnsupportedHost(f"{self._found} without {name}; expected it on the algorithm or its trainer")
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
        with isolated(self._modules(), self._agent, int(self._seeds.integers(2**31))), self._autocast(False):  # which keeps converted weights
            yield

    def _autocast(self, half: bool) -> torch.autocast:
        """Around calls of the host's networks, and of nothing else."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=half)

    def _modules(self) -> list[nn.Module]:
        names = ("qf1", "qf2", "vf", "target_vf", "target_qf1", "target_qf2")
        nets = [getattr(self._owner, name, None) for name in names] + [self._agent, self._agent.context_encoder, self._agent.policy]
        return [net for net in nets if isinstance(net, nn.Module)]

    # What the host has, found out at attach.
    def _next_obs_by_width(self) -> bool:
        """Whether context rows end with the next observation: by the encoder's input width, or else by what it takes."""
        encoder = self._agent.context_encoder
        short = self._obs_dim + self._action_dim + 1
        widths = {False: short, True: short + self._obs_dim}
        stated = getattr(encoder, "input_size", None)
        flag = bool(getattr(self._algorithm, "use_next_obs_in_context", False))
        for with_next_obs in (flag, not flag):
            if widths[with_next_obs] == stated or (stated is None and self._encodes(widths[with_next_obs])):
                return with_next_obs
        raise UnsupportedHost(
            f"{self._found} whose context encoder takes rows of {'another width' if stated is None else stated}; expected {short}: observation "
            f"{self._obs_dim}, action {self._action_dim}, reward 1, or {widths[True]} with the next observation"
        )

    def _encodes(self, width: int) -> bool:
        with self.isolated():
            try:
                self._agent.context_encoder(torch.zeros(_PROBE_ROWS, width, device=self.device))
            except (RuntimeError, TypeError, ValueError, IndexError):
                return False
        return True

    def _dummies(self) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of observations, actions and latents."""
        widths = (self._obs_dim, self._action_dim, self.latent_dim)
        obs, action, z = (torch.randn(_PROBE_ROWS, width, device=self.device) for width in widths)
        return obs, action.tanh(), z

    def _dummy_context(self) -> tuple[Tensor, Tensor]:
        """Two contexts of five rows, and their mask."""
        width = self._obs_dim + self._action_dim + 1 + (self._obs_dim if self.use_next_obs_in_context else 0)
        return torch.randn(2, 5, width, device=self.device), torch.ones(2, 5, dtype=torch.bool, device=self.device)

    @property
    def precision(self) -> str:
        """"bf16" or "fp32"."""
        return "bf16" if self._half else "fp32"

    def compute_in(self, precision: str, with_value: bool) -> None:
        """From now on run in this precision, if everything does, which a trial tells; "auto" stays in single where the host's code is not made
        for half. with_value: whether V will be asked for. Raises UnsupportedHost."""
        self._half = False
        if not uses_bfloat16(check_precision(precision), self.device):
            return
        single = self._trial(with_value)
        self._half = True
        try:
            half = self._trial(with_value)
            alike = all((a - b).abs().max() <= 0.1 * a.abs().max() + 0.01 for a, b in zip(single, half, strict=True))
            trouble = "" if alike else "their outputs differ by more than a tenth from those in fp32"
        except Exception as error:  # the host's code may do anything
            trouble = f"{type(error).__name__} {error}".splitlines()[0]
        self._half = not trouble
        if trouble and precision != "auto":
            raise UnsupportedHost(f"{self._found} whose networks don't run in {precision}: {trouble}; choose precision='fp32'")

    def _trial(self, with_value: bool) -> list[Tensor]:
        """Everything that scoring computes, for dummy rows and without noise."""

        def silence(*shape: int) -> Tensor:
            return torch.zeros(*shape, device=self.device)

        with isolated(self._modules(), self._agent, 0), self._autocast(False):
            obs, action, z = self._dummies()
            outputs = [*self.posterior(*self._dummy_context()), *self.critics(obs, action, z)]
            if with_value:
                outputs.append(self.value(obs, z, silence))
            actions = self.action(obs, z, silence)
            if self._knows_normal and normal_parameters(self._policy_output(obs, z)) is None:
                raise ValueError("the policy's mean and deviation can't be told")
        return [*outputs, actions] if self._knows_normal else outputs  # what a host samples by itself may differ

    def _probe(self) -> None:
        obs, action, z = self._dummies()
        self._probe_critics(obs, action, z)
        self._policy = policy_call(lambda: self._agent.policy, obs, z)
        if self._policy is None or (normal_parameters(self._policy(obs, z)) is None and sampled_action(self._policy(obs, z)) is None):
            raise UnsupportedHost(
                f"{self._found} whose policy can't be called; tried policy(obs and z joined) and policy(obs, z), expecting a tuple that "
                "begins with the action, or a distribution"
            )
        self._knows_normal = normal_parameters(self._policy(obs, z)) is not None
        self._probe_posterior()
        normal_policy = self._policy if self._knows_normal else None
        self._value = find_value(self._owner, self._algorithm, normal_policy, (obs, action, z))

    def _probe_critics(self, obs: Tensor, action: Tensor, z: Tensor) -> None:
        inputs = (obs, action, z)
        expected = self._own_minimum(inputs)

        def agrees(calls: list[Any]) -> bool:
            return expected is None or bool(torch.allclose(torch.min(*(call(*inputs) for call in calls)), expected, atol=1e-4))

        calls = value_calls([self._get("qf1"), self._get("qf2")], ("obs", "action", "z"), inputs, agrees)
        if calls is None:
            raise UnsupportedHost(
                f"{self._found} whose qf1 and qf2 can't be called; tried qf1(obs, action, z) and joined inputs, expecting (rows, 1)"
            )
        self._qf1, self._qf2 = calls

    def _own_minimum(self, inputs: tuple[Tensor, ...]) -> Tensor | None:
        """The host's own minimum of its critics, where it has one: it tells the order of inputs of critics that would take any."""
        own_min = getattr(self._owner, "_min_q", None)
        try:
            return None if own_min is None else own_min(*inputs).reshape(-1, 1)
        except (RuntimeError, TypeError, ValueError, AttributeError):
            return None

    def _probe_posterior(self) -> None:
        """Take the fast product of Gaussians if it is what the host infers, else the host's own inference."""
        context, mask = self._dummy_context()
        try:
            own = self._own_posterior(context)
        except (RuntimeError, TypeError, ValueError, AttributeError):
            own = None  # it wants more than a context; the fast product has to do
        self._posterior = self._fast_posterior
        try:
            fast = self._fast_posterior(context, mask)
        except (RuntimeError, TypeError, ValueError):
            fast = None
        if own is None and fast is None:
            raise UnsupportedHost(f"{self._found} whose encoder gives no posterior; expected agent.infer_posterior or agent.latent_posterior")
        if own is not None and (fast is None or not _alike(own, fast)):
            self._posterior = self._grouped_posterior

    # The functions of `rlkit_hfr.scoring.scorer.Networks`.
    def version(self) -> tuple[Any, ...]:
        """A figure of the critic's and the encoder's last weights, which every update changes: fused optimizers write them without counting in
        torch's version numbers. Networks that are swapped have another identity."""
        last = [list(net.parameters())[-1] for net in (self._owner.qf1, self._agent.context_encoder)]
        return tuple((id(weights), float(weights.detach().double().sum())) for weights in last)

    def state_dict(self) -> State:
        return dict(seeds=rng_state(self._seeds), half=self._half)

    def load_state_dict(self, state: State) -> None:
        set_rng_state(self._seeds, state["seeds"])
        self._half = state["half"]  # also on a processor that "auto" would not take it on

    def has_transitions(self, tasks: Sequence[Any]) -> bool:
        buffers = self._algorithm.replay_buffer.task_buffers
        return all(buffers[task].num_steps_can_sample() > 0 for task in tasks)

    def require_value(self, relabeler: str) -> None:
        if self._value is None:
            raise UnsupportedHost(
                f"{self._found} without a target V or target critics that can be called; {relabeler!r} needs target_vf, or target_qf1 and "
                "target_qf2 with a tanh-Gaussian policy; choose another relabeler"
            )

    def posterior(self, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = self._posterior(context, mask)
        return mean.float(), variance.float()

    def _fast_posterior(self, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        with self._autocast(self._half):
            rows = self._agent.context_encoder(context.flatten(0, 1))
        params = rows.float().view(*context.shape[:2], -1)
        if params.shape[-1] == self.latent_dim:  # no information bottleneck: the mean of the rows
            weight = mask.unsqueeze(-1).to(params.dtype)
            mean = (params * weight).sum(dim=1) / weight.sum(dim=1)
            return mean, torch.zeros_like(mean)
        return product_of_gaussians(params[..., : self.latent_dim], F.softplus(params[..., self.latent_dim:]), mask)

    def _own_posterior(self, context: Tensor) -> tuple[Tensor, Tensor] | None:
        flags = [getattr(holder, "use_information_bottleneck", None) for holder in (self._algorithm, self._owner)]
        return own_posterior(self._agent, context, bool(next((flag for flag in flags if flag is not None), True)))

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

    def _policy_output(self, obs: Tensor, z: Tensor) -> Any:
        assert self._policy is not None
        with self._autocast(self._half):
            return self._policy(obs, z)

    def action(self, obs: Tensor, z: Tensor, noise: Noise) -> Tensor:
        out = self._policy_output(obs, z)
        parameters = normal_parameters(out) if self._knows_normal else None
        if parameters is None:
            action = sampled_action(out)
            assert action is not None
            return action.float()
        mean, std = parameters
        return torch.tanh(mean.float() + std.float() * noise(*mean.shape))

    def critics(self, obs: Tensor, action: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        with self._autocast(self._half):
            return self._qf1(obs, action, z).float(), self._qf2(obs, action, z).float()

    def value(self, obs: Tensor, z: Tensor, noise: Noise) -> Tensor:
        assert self._value is not None
        with self._autocast(self._half):
            return self._value(obs, z, noise).float()

    def transitions(self, task: Any, number: int, rng: np.random.Generator) -> Mapping[str, np.ndarray]:
        buffer = self._algorithm.replay_buffer
        with borrowed_generators([buffer, buffer.task_buffers[task]], rng):
            return buffer.random_batch(task, number)


def _alike(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> bool:
    return all(a.shape == b.shape and torch.allclose(a.float(), b.float(), atol=1e-4) for a, b in zip(first, second, strict=True))
