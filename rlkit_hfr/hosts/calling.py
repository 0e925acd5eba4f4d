"""A PEARL implementation's networks as the side-effect-free functions that scoring needs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.gaussians import posterior
from rlkit_hfr.hosts.conventions import normal_parameters, sampled_action
from rlkit_hfr.hosts.errors import UnsupportedHost
from rlkit_hfr.hosts.isolation import borrowed_generators, isolated
from rlkit_hfr.hosts.parts import HostParts
from rlkit_hfr.hosts.probing import infer, probe
from rlkit_hfr.hosts.soft_value import Noise
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.precision import autocast
from rlkit_hfr.protocols import Batch, Critics, Env, HostAlgorithm
from rlkit_hfr.state import State, rng_state, set_rng_state


class HostNetworks:
    """`rlkit_hfr.scoring.host_view.HostView` of an algorithm."""

    def __init__(self, algorithm: HostAlgorithm, owner: Critics, seed: int) -> None:
        """owner: where the host keeps its networks, reward scale and discount; seed: of
        what its own code draws while it scores.
        """
        self._simulator: Env | None = None
        self.half = False  # whether the networks are called in half precision
        self.parts = HostParts(algorithm, owner)
        self._seeds = np.random.default_rng(seed)
        self.calls = probe(self.parts, self.isolated)

    # Settings, read when they are used: hosts may change them.
    @property
    def reward_scale(self) -> float:
        return self.parts.setting("reward_scale")

    @property
    def discount(self) -> float:
        return self.parts.setting("discount")

    @property
    def sparse_rewards(self) -> bool:
        return bool(getattr(self.parts.algorithm, "sparse_rewards", False))

    @property
    def layout(self) -> ContextLayout:
        return self.calls.layout

    @property
    def context_batch_size(self) -> int:
        return int(getattr(self.parts.algorithm, "embedding_batch_size", 64))

    @property
    def in_order(self) -> bool:
        """Whether the posterior depends on the order of a context's rows, as that of a recurrent
        encoder does.
        """
        return self.calls.in_order

    @property
    def samples_alone(self) -> bool:
        """Whether the host's belief is no Gaussian that we know: `posterior` then gives a sample of z
        and no variance.
        """
        return self.calls.samples_alone

    @property
    def device(self) -> torch.device:
        return self.parts.device

    @property
    def precision(self) -> str:
        """ "bf16" or "fp32"."""
        return "bf16" if self.half else "fp32"

    @contextmanager
    def isolated(self) -> Iterator[None]:
        """Everything that this object runs belongs inside: it leaves the host's random
        streams, modules and agent as they were.
        """
        seed = int(self._seeds.integers(2**31))
        # which keeps converted weights
        with isolated(self.parts.modules(), self.parts.agent, seed), self.autocast(False):
            yield

    def autocast(self, half: bool) -> AbstractContextManager[object]:
        """Around calls of the host's networks, and of nothing else."""
        return autocast(self.device, half)

    def version(self) -> tuple[object, ...]:
        """A figure of the critic's and the encoder's last weights, which every update
        changes: fused optimizers write them without counting in torch's version
        numbers. Networks that are swapped have another identity.
        """
        last = [list(net.parameters())[-1] for net in (self.parts.owner.qf1, *self.parts.encoders())]
        return tuple((id(weights), float(weights.detach().double().sum())) for weights in last)

    def state_dict(self) -> State:
        return dict(seeds=rng_state(self._seeds), half=self.half)

    def load_state_dict(self, state: State) -> None:
        set_rng_state(self._seeds, state["seeds"])
        self.half = state["half"]  # also on a processor that "auto" would not take it on

    def has_transitions(self, tasks: Sequence[int]) -> bool:
        buffers = self.parts.algorithm.replay_buffer.task_buffers
        return all(buffers[task].num_steps_can_sample() > 0 for task in tasks)

    def require_value(self, relabeler: str) -> None:
        if self.calls.value is None:
            raise UnsupportedHost(
                f"{self.parts.found} without a target V or target critics that can be called; {relabeler!r}"
                " needs target_vf, or target_qf1 and target_qf2 with a tanh-Gaussian policy; choose another"
                " relabeler"
            )

    def posterior(self, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        if self.calls.infers_alone:
            return self._inferred_posterior(context, mask)
        encoder = self.parts.context_encoder
        assert encoder is not None
        with self.autocast(self.half):
            rows = encoder(context.flatten(0, 1))
        return posterior(rows.float().view(*context.shape[:2], -1), self.parts.latent_dim, mask)

    def _inferred_posterior(self, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The host's own inference, once for each length among the contexts."""
        lengths = mask.sum(dim=1)
        means = context.new_empty(len(context), self.parts.latent_dim)
        variances = torch.empty_like(means)
        for length in lengths.unique().tolist():
            rows = lengths == length
            own = infer(self.parts, context[rows, :length])
            assert own is not None
            means[rows], variances[rows] = (part.float() for part in own[:2])
        return means, variances

    def policy_output(self, obs: Tensor, z: Tensor) -> object:
        """What the host's policy returns."""
        with self.autocast(self.half):
            return self.calls.policy(obs, z)

    def action(self, obs: Tensor, z: Tensor, noise: Noise) -> Tensor:
        out = self.policy_output(obs, z)
        parameters = normal_parameters(out) if self.calls.knows_normal else None
        if parameters is None:
            action = sampled_action(out)
            assert action is not None
            return action.float()
        mean, std = parameters
        return torch.tanh(mean.float() + std.float() * noise(*mean.shape))

    def critics(self, obs: Tensor, action: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        with self.autocast(self.half):
            return self.calls.qf1(obs, action, z).float(), self.calls.qf2(obs, action, z).float()

    def value(self, obs: Tensor, z: Tensor, noise: Noise) -> Tensor:
        assert self.calls.value is not None
        with self.autocast(self.half):
            return self.calls.value(obs, z, noise).float()

    def simulator(self) -> tuple[Env, int]:
        """A copy of the host's environment, and the steps after which the host cuts an episode.
        UnsupportedHost if it can't be copied, or the host does not say.
        """
        algorithm, length = self.parts.algorithm, getattr(self.parts.algorithm, "max_path_length", None)
        if length is None:
            raise UnsupportedHost(
                f"{self.parts.found} without max_path_length, which utility='rollouts' needs; choose"
                " utility='critic'"
            )
        if self._simulator is None:
            try:
                self._simulator = copy.deepcopy(algorithm.env)
            except TypeError as error:
                raise UnsupportedHost(
                    f"{self.parts.found} whose env can't be copied ({error}), which utility='rollouts' needs;"
                    " choose utility='critic'"
                ) from None
        return self._simulator, int(length)

    def transitions(self, task: int, number: int, rng: np.random.Generator) -> Batch:
        buffer = self.parts.algorithm.replay_buffer
        with borrowed_generators([buffer, buffer.task_buffers[task]], rng):
            return buffer.random_batch(task, number)
