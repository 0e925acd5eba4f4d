"""Descendants of oyster that differ in one thing each, beside the two families of `standin_families`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from standin_agents import (
    DeterministicAgent,
    DirichletAgent,
    DropoutAgent,
    JoinedCritic,
    NamedCritic,
    RecurrentAgent,
    SeveralEncodersAgent,
    TwoInputAgent,
)
from standin_buffers import Buffer, ChainedBuffer, GeneratorBuffer, SequenceBuffer
from standin_families import FAMILIES, Critic, OysterLike
from worlds import SparsePointWorld


class NoValueFunction(OysterLike):
    def make_nets(self) -> None:
        self.qf1, self.qf2, self.target_qf1, self.target_qf2 = (Critic() for _ in range(4))
        self.log_alpha = torch.tensor(math.log(0.2))


class OddTaskIds(OysterLike):
    task_ids = tuple(np.array([7, 3, 12, 5]))


class RenamedSampler(OysterLike):
    sample_context = None  # type: ignore[assignment]

    def draw_encoder_batch(self, which: Any) -> torch.Tensor:
        tasks = which if np.ndim(which) else [which]
        return self.context_from([self.enc_replay_buffer.random_batch(task, 10) for task in tasks])

    def collection_context(self, task: Any) -> torch.Tensor:
        return self.draw_encoder_batch(task)

    def training_batch(self, tasks: Any) -> tuple[torch.Tensor, list[dict[str, np.ndarray]]]:
        return self.draw_encoder_batch(which=tasks), [
            self.replay_buffer.random_batch(task, 8) for task in tasks
        ]


class InlineSampler(OysterLike):
    """No sampler at all for training: the method that builds the batch draws it from the per-task buffers."""

    def training_batch(self, tasks: Any) -> tuple[torch.Tensor, list[dict[str, np.ndarray]]]:
        context = self.context_from(
            [self.enc_replay_buffer.task_buffers[task].random_batch(10) for task in tasks]
        )
        return context, [self.replay_buffer.random_batch(task, 8) for task in tasks]


class JoinedCritics(OysterLike):
    def make_nets(self) -> None:
        super().make_nets()
        self.qf1, self.qf2 = JoinedCritic(), JoinedCritic()

    def q(self, i: int, o: torch.Tensor, a: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return self.critics()[i](torch.cat([o, a, z], dim=-1)).unsqueeze(-1)


class NamedCritics(OysterLike):
    def make_nets(self) -> None:
        super().make_nets()
        self.qf1, self.qf2 = NamedCritic(), NamedCritic()

    def q(self, i: int, o: torch.Tensor, a: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return self.critics()[i](z, o, a)


class LatentFirstCritics(OysterLike):
    """The critic joins whatever it gets, and this host gives it z first; its own `_min_q` says so."""

    def q(self, i: int, o: torch.Tensor, a: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return self.critics()[i](z, o, a)

    def _min_q(self, obs: torch.Tensor, actions: torch.Tensor, task_z: torch.Tensor) -> torch.Tensor:
        return torch.min(self.q(0, obs, actions, task_z), self.q(1, obs, actions, task_z))


class TwoInputPolicies(OysterLike):
    def make_agent(self) -> Any:
        return TwoInputAgent()


class ReversedAdds(OysterLike):
    def add(self, task: Any, paths: list[dict[str, Any]], to_encoder: bool) -> None:
        if to_encoder:
            self.enc_replay_buffer.add_paths(task, paths)
        for path in paths:
            self.replay_buffer.add_path(task, path)


class OneSidedAdds(OysterLike):
    """Some paths go to the encoder buffer alone, some to the RL buffer alone."""

    def visit(self, task: Any) -> None:
        super().visit(task)
        self.enc_replay_buffer.add_paths(task, [self.rollout(task)])


class OneBuffer(OysterLike):
    """The same object in both roles, never cleared."""

    def make_buffers(self) -> tuple[Any, Any]:
        buffer = Buffer(self.task_ids)
        return buffer, buffer

    def add(self, task: Any, paths: list[dict[str, Any]], to_encoder: bool) -> None:
        self.replay_buffer.add_paths(task, paths)

    def visit(self, task: Any) -> None:
        self.agent.clear_z()
        self.add(task, [self.rollout(task) for _ in range(self.prior_paths)], True)
        context = self.collection_context(task)
        self.trace.append(context.numpy().copy())
        self.agent.infer_posterior(context)
        self.add(task, [self.rollout(task)], True)

    def draw_rl(self, tasks: Any) -> list[dict[str, np.ndarray]]:
        return [self.replay_buffer.random_batch(task, 8) for task in tasks]

    def training_batch(self, tasks: Any) -> tuple[torch.Tensor, list[dict[str, np.ndarray]]]:
        return self.sample_context(tasks), self.draw_rl(tasks)


class AliasedBuffer(OysterLike):
    """Keeps another reference to its encoder buffer from before `attach`, and adds through that."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self._alias = self.enc_replay_buffer

    def add(self, task: Any, paths: list[dict[str, Any]], to_encoder: bool) -> None:
        self.replay_buffer.add_paths(task, paths)
        if to_encoder:
            self._alias.add_paths(task, paths)


class ChainedAdds(OysterLike):
    def make_buffers(self) -> tuple[Any, Any]:
        return ChainedBuffer(self.task_ids), ChainedBuffer(self.task_ids)


class DropoutAndMeans(OysterLike):
    def make_agent(self) -> Any:
        return DropoutAgent()


class Deterministic(OysterLike):
    """No information bottleneck: z is the mean of the encoder's rows."""

    use_information_bottleneck = False

    def make_agent(self) -> Any:
        return DeterministicAgent()


class SeveralEncoders(OysterLike):
    def make_agent(self) -> Any:
        return SeveralEncodersAgent()


class DirichletBelief(OysterLike):
    def make_agent(self) -> Any:
        return DirichletAgent()


class Recurrent(OysterLike):
    """Its encoder reads a context step by step, from one trajectory."""

    recurrent = True

    def make_agent(self) -> Any:
        return RecurrentAgent()

    def make_buffers(self) -> tuple[Any, Any]:
        return SequenceBuffer(self.task_ids), SequenceBuffer(self.task_ids)

    def sample_context(self, indices: Any) -> torch.Tensor:
        tasks = indices if hasattr(indices, "__iter__") else [indices]
        return self.context_from(
            [self.enc_replay_buffer.random_batch(task, 6, sequence=True) for task in tasks]
        )


class TasksLast(OysterLike):
    """Its sampler takes the tasks as a second argument."""

    sample_context = None  # type: ignore[assignment]

    def draw(self, batch_size: int, tasks: Any) -> torch.Tensor:
        tasks = tasks if np.ndim(tasks) else [tasks]
        return self.context_from([self.enc_replay_buffer.random_batch(task, batch_size) for task in tasks])

    def collection_context(self, task: Any) -> torch.Tensor:
        return self.draw(self.embedding_batch_size, task)

    def training_batch(self, tasks: Any) -> tuple[torch.Tensor, list[dict[str, np.ndarray]]]:
        return self.draw(self.embedding_batch_size, tasks), [
            self.replay_buffer.random_batch(task, 8) for task in tasks
        ]


class OwnGenerators(OysterLike):
    """Per-task buffers with generators of their own, under another name."""

    def make_buffers(self) -> tuple[Any, Any]:
        buffers = super().make_buffers()
        for buffer in buffers:
            for task, inner in buffer.task_buffers.items():
                buffer.task_buffers[task] = inner
                inner.__class__ = GeneratorBuffer
                inner._random = np.random.default_rng(int(task))
        return buffers


class VisitsInsideARequest(OysterLike):
    """One method visits tasks and draws their context."""

    def visit_and_draw(self, tasks: Any) -> torch.Tensor:
        for task in tasks:
            self.visit(task)
        return self.context_from([self.enc_replay_buffer.random_batch(task, 10) for task in tasks])

    def train(self, iterations: int = 3) -> None:
        super().train(1)
        for iteration in range(1, iterations):
            self.trace.append(self.visit_and_draw([0, 1, 0]).shape)
            for _ in range(4):
                self.update()
            self._try_to_eval(iteration)


class SparseContext(OysterLike):
    sparse_rewards = True

    def make_env(self, seed: int) -> Any:
        return SparsePointWorld(n_tasks=4, seed=seed)


DESCENDANTS: dict[str, type[OysterLike]] = {
    cls.__name__: cls
    for cls in (
        NoValueFunction,
        OddTaskIds,
        RenamedSampler,
        InlineSampler,
        JoinedCritics,
        NamedCritics,
        LatentFirstCritics,
        TwoInputPolicies,
        ReversedAdds,
        OneSidedAdds,
        OneBuffer,
        AliasedBuffer,
        ChainedAdds,
        DropoutAndMeans,
        Deterministic,
        SeveralEncoders,
        DirichletBelief,
        Recurrent,
        TasksLast,
        OwnGenerators,
        VisitsInsideARequest,
        SparseContext,
    )
}
EVERY = {**FAMILIES, **DESCENDANTS}
