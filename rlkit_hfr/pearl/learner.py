"""What every algorithm of updates on meta-batches shares: batches of several tasks, networks
and optimizers by name, checkpoints, and a watch on the losses.
"""

from __future__ import annotations

import abc
import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rlkit_hfr.paths import context_keys
from rlkit_hfr.pearl.meta_algorithm import DivergedError, MetaRLAlgorithm
from rlkit_hfr.precision import uses_bfloat16
from rlkit_hfr.state import State


class Learner(MetaRLAlgorithm):
    """The updates' side of an off-policy algorithm with critics `qf1` and `qf2`, an
    `agent` and one buffer a task.
    """

    loss_names: tuple[str, ...]  # in the order in which `_note_losses` gets them
    qf1: nn.Module
    qf2: nn.Module

    def __init__(self, *args: Any, **options: Any) -> None:
        """As `MetaRLAlgorithm`."""
        super().__init__(*args, **options)
        self._losses: list[Tensor] = []

    @abc.abstractmethod
    def _named_networks(self) -> dict[str, nn.Module]:
        """What a snapshot holds, by name."""

    @abc.abstractmethod
    def _named_optimizers(self) -> dict[str, torch.optim.Optimizer]: ...

    @abc.abstractmethod
    def _learning_rates(self) -> dict[str, float]:
        """Of each optimizer, at the beginning of the run."""

    def named_parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """The networks and the optimizers, whose names may be the same."""
        nets = {f"network {name}": net for name, net in self._named_networks().items()}
        return nets | {f"optimizer {name}": part for name, part in self._named_optimizers().items()}

    @abc.abstractmethod
    def _take_step(self, indices: Sequence[int], context: Tensor) -> None:
        """One update on a meta-batch of tasks with their contexts (tasks, B, D)."""

    @property
    def networks(self) -> list[nn.Module]:
        return [*self._named_networks().values(), self.agent]

    @property
    def device(self) -> torch.device:
        return next(self.qf1.parameters()).device

    def training_mode(self, mode: bool) -> None:
        for net in self.networks:
            net.train(mode)

    def to(self, device: torch.device | str) -> None:
        for net in self.networks:
            net.to(device)

    def get_epoch_snapshot(self, epoch: int) -> State:
        return dict(epoch=epoch, **{name: net.state_dict() for name, net in self._named_networks().items()})

    def load_snapshot(self, snapshot: State) -> None:
        """Take over the networks of a `get_epoch_snapshot`."""
        for name, net in self._named_networks().items():
            net.load_state_dict(snapshot[name])

    def state_dict(self) -> State:
        nets = {name: net.state_dict() for name, net in self._named_networks().items()}
        optimizers = {name: optimizer.state_dict() for name, optimizer in self._named_optimizers().items()}
        return dict(**super().state_dict(), networks=nets, optimizers=optimizers)

    def load_state_dict(self, state: State) -> None:
        self.load_snapshot(state["networks"])
        for name, optimizer in self._named_optimizers().items():
            # which would share its tensors
            optimizer.load_state_dict(copy.deepcopy(state["optimizers"][name]))
        super().load_state_dict(state)

    def check_losses(self, iteration: int) -> None:
        losses, self._losses = self._losses, []
        wrong = torch.nonzero(~torch.isfinite(torch.stack(losses))) if losses else torch.empty(0)
        if len(wrong):
            update, which = wrong[0].tolist()
            value = float(losses[update][which])
            raise DivergedError(
                f"{self.loss_names[which]} became {value} at update {update + 1} of iteration {iteration + 1}"
            )

    def _note_losses(self, losses: Sequence[Tensor]) -> None:
        """Keep an update's losses for `check_losses`, which looks once an iteration:
        reading a loss would synchronise the GPU.
        """
        self._losses.append(torch.stack(list(losses)).detach())

    def sample_sac(self, indices: Iterable[int]) -> list[Tensor]:
        """RL batch of several tasks, on the CPU and of the buffers' types: observations,
        actions, (dense) rewards, next observations, terminals, each (tasks, B, dim)."""
        batches = [self.replay_buffer.random_batch(task, self.batch_size) for task in indices]
        return stacked(batches, ("observations", "actions", "rewards", "next_observations", "terminals"))

    def sample_context(self, indices: int | Iterable[int]) -> Tensor:
        """Context batch of one task or several, on the CPU: (tasks, B, D)."""
        tasks: Iterable[int] = indices if isinstance(indices, Iterable) else [indices]
        batches = [self.enc_replay_buffer.random_batch(task, self.embedding_batch_size) for task in tasks]
        keys = context_keys(
            "sparse_rewards" if self.sparse_rewards else "rewards", self.use_next_obs_in_context
        )
        return torch.cat(stacked(batches, keys), dim=-1)

    def _do_training(self, indices: Sequence[int]) -> None:
        self._anneal_learning_rates()
        self._take_step(indices, self._shortened(self.sample_context(indices)))

    def _shortened(self, context: Tensor) -> Tensor:
        """The first rows of a context batch (tasks, B, D), whose order is random, where the
        number of rows is drawn anew for each update.
        """
        least = self.config.min_embedding_batch_size
        if least == 0:
            return context
        low, high = math.log(least), math.log(self.config.embedding_batch_size)
        return context[:, : round(math.exp(self.rng.uniform(low, high)))]

    def _anneal_learning_rates(self) -> None:
        config = self.config
        if config.lr_end_factor == 1.0:
            return
        updates = config.num_iterations * config.num_train_steps_per_itr
        done = min(1.0, self._n_train_steps_total / updates)
        factor = 1.0 - (1.0 - config.lr_end_factor) * done
        rates = self._learning_rates()
        for name, optimizer in self._named_optimizers().items():
            optimizer.param_groups[0]["lr"] = factor * rates[name]

    def _autocast(self) -> torch.autocast:
        """Matrix products within may be in half precision; weights, outputs, targets and
        losses stay in single.
        """
        half = uses_bfloat16(self.config.precision, self.device)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=half)


def stacked(batches: Sequence[Mapping[str, np.ndarray]], keys: Sequence[str]) -> list[Tensor]:
    """Each key of several tasks' batches as a tensor (tasks, B, dim)."""
    return [torch.from_numpy(np.stack([batch[key] for batch in batches])) for key in keys]


def step(loss: Tensor, *optimizers: torch.optim.Optimizer) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()


@contextmanager
def frozen(*nets: nn.Module) -> Iterator[None]:
    """Gradients flow through the networks to their inputs, none are computed for their weights."""
    for net in nets:
        net.requires_grad_(False)
    try:
        yield
    finally:
        for net in nets:
            net.requires_grad_(True)
