"""Meta-testing out of distribution (MIER section 4.3, algorithm 2): the model adapts to a test
task and is trained on, then the experience of the training tasks, relabeled by it, trains the
policy on.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.mier.agent import TaskModel
from rlkit_hfr.mier.algorithm import MIER
from rlkit_hfr.mier.config import ExtrapolationConfig
from rlkit_hfr.paths import PathDict, context_rows, recorded_rewards
from rlkit_hfr.pearl.evaluation import path_return, path_success
from rlkit_hfr.pearl.learner import Learner, step
from rlkit_hfr.pearl.meta_algorithm import DivergedError
from rlkit_hfr.pearl.perceptrons import TanhGaussianPolicy
from rlkit_hfr.pearl.sac import Rows
from rlkit_hfr.state import State

# of observations (R, S), whether an episode ends there: (R,) bool
Termination = Callable[[np.ndarray], np.ndarray | None]


class Figures(NamedTuple):
    """One row of a test task. updates: of the policy so far; ret, success: means over the
    evaluation's trajectories; model_loss: the model's on the collected data, NaN for an
    algorithm without a model.
    """

    task: int
    updates: int
    ret: float
    success: float
    model_loss: float


class Transitions(NamedTuple):
    """obs, next_obs: (R, S); actions: (R, A); rewards, terminals: (R, 1)."""

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    next_obs: Tensor
    terminals: Tensor

    def rows(self, at: np.ndarray) -> Transitions:
        where = torch.as_tensor(at, device=self.obs.device)
        return Transitions(*(part[where] for part in self))


@torch.no_grad()
def relabeled(
    old: Transitions,
    model: TaskModel,
    policy: TanhGaussianPolicy,
    phi: Tensor,
    ends_at: Termination,
) -> Transitions:
    """Relabel(D, theta, phi_T) (MIER section 4.3): what the transitions would have been in the
    task that the model has adapted to. phi: (Z,).

    Where the model predicts rewards alone, (s, a, s') stay and r is drawn anew. Where it
    predicts the next observation too, s stays, a is drawn from the policy, and (s', r) from
    the model. ends_at: terminals of next observations; where it gives None the old ones stay.
    """
    actions, next_obs = old.actions, old.next_obs
    if model.layout.with_next_obs:
        z = phi.expand(len(old.obs), -1)
        actions = policy(torch.cat([old.obs, z], dim=-1)).action
    mean, deviation = model.predict(torch.cat([old.obs, actions], dim=-1), phi)
    drawn = mean + deviation * torch.randn_like(mean)
    if model.layout.with_next_obs:
        next_obs = old.obs + drawn[:, :-1]
    ends = ends_at(next_obs.cpu().numpy())
    terminals = old.terminals if ends is None else torch.as_tensor(ends).to(old.terminals).view(-1, 1)
    return Transitions(old.obs, actions, drawn[:, -1:], next_obs, terminals)


class Extrapolation:
    """A trained algorithm on one test task at a time. The algorithm is as before after each."""

    def __init__(self, algorithm: Learner, config: ExtrapolationConfig, seed: int) -> None:
        """algorithm: a `MIER` with its buffers, or any other, which adapts and that is all;
        seed: of the transitions that are drawn. ValueError where the model predicts
        observations and the family does not say which of them end an episode.
        """
        self.algorithm = algorithm
        self.config = config
        self._rng = np.random.default_rng(seed)
        self._ends_at: Termination = getattr(algorithm.env, "ends_at", lambda next_obs: None)
        some = np.zeros((1, int(np.prod(algorithm.env.observation_space.shape))), np.float32)
        predicts = algorithm.use_next_obs_in_context and isinstance(algorithm, MIER)
        if predicts and config.relabel and self._ends_at(some) is None:
            raise ValueError(
                f"{type(algorithm.env).__name__} does not say which observations end an episode, got None"
                " from ends_at(next_obs); define it, or set relabel=false"
            )

    def run(self, task: int, on_row: Callable[[Figures], None] = lambda row: None) -> list[Figures]:
        """The figures before the first update of the policy and after every `eval_every`.
        Raises DivergedError at a loss that is not finite, and ValueError where nothing is
        stored that could be relabeled.
        """
        self._require_stored()
        with self._as_before():
            rows = []
            for row in self._rows(task):
                on_row(row)
                rows.append(row)
        return rows

    def _require_stored(self) -> None:
        buffer, tasks = self.algorithm.replay_buffer, self.algorithm.train_tasks
        empty = [task for task in tasks if not buffer.num_steps_can_sample(task)]
        if empty and self.config.relabel and isinstance(self.algorithm, MIER):
            raise ValueError(
                f"{len(empty)} of {len(tasks)} training tasks have no transitions to relabel;"
                " train for an iteration at least, or set relabel=false"
            )

    def _rows(self, task: int) -> Iterator[Figures]:
        algorithm, config = self.algorithm, self.config
        paths = self._collect(task)
        context = self._context(paths)
        self._infer(context)
        z = algorithm.agent.z[:1].clone()
        if not isinstance(algorithm, MIER):
            yield self._evaluate(task, z, 0, float("nan"))
            return
        if config.relabel:
            self._train_model(algorithm, context[0], z[0])
        inputs, targets = algorithm.model.split(context)
        with torch.no_grad():
            loss = float(algorithm.model.nll(inputs, targets, z))
        _check_finite({"Model Loss": loss}, 0, task)
        yield self._evaluate(task, z, 0, loss)
        real, pool = self._real(paths), None
        for update in range(config.policy_updates):
            if config.relabel and update % config.relabel_every == 0:
                old = self._stored(algorithm)
                pool = relabeled(old, algorithm.model, algorithm.agent.policy, z[0], self._ends_at)
            batch = self._batch(real, pool)
            losses = algorithm.actor_critic.update(Rows(*batch, z.expand(len(batch.obs), -1))).losses
            if (update + 1) % config.eval_every == 0 or update + 1 == config.policy_updates:
                _check_finite(
                    {name: float(value.detach()) for name, value in losses.items()}, update + 1, task
                )
                yield self._evaluate(task, z, update + 1, loss)

    def _collect(self, task: int) -> list[PathDict]:
        """Trajectories of the policy before adaptation."""
        agent = self.algorithm.agent
        agent.clear_z(num_tasks=self.config.trajectories)
        return self.algorithm.sampler.obtain_paths([task] * self.config.trajectories)

    def _context(self, paths: Sequence[PathDict]) -> Tensor:
        """All steps as rows of the context: (1, T, D)."""
        algorithm = self.algorithm
        rows = [
            context_rows(
                path, recorded_rewards(path, algorithm.sparse_rewards), algorithm.use_next_obs_in_context
            )
            for path in paths
        ]
        return torch.as_tensor(np.concatenate(rows)[None], device=algorithm.device)

    @torch.no_grad()
    def _infer(self, context: Tensor) -> None:
        agent = self.algorithm.agent
        if not isinstance(self.algorithm, MIER):
            agent.infer_posterior(context)
            return
        how = self.algorithm.agent.inner_steps
        self.algorithm.agent.inner_steps = replace(how, steps=self.config.adapt_steps)
        agent.infer_posterior(context)
        self.algorithm.agent.inner_steps = how

    def _train_model(self, algorithm: MIER, rows: Tensor, phi: Tensor) -> None:
        """theta - alpha grad E_adapt[-log p(s', r | s, a; theta, phi_T)], by Adam in batches."""
        model, config = algorithm.model, self.config
        weights = [weight for weight in model.parameters() if weight is not model.phi]
        optimizer = torch.optim.Adam(weights, lr=algorithm.config.model_lr)
        for _ in range(config.model_steps):
            at = torch.as_tensor(self._rng.integers(len(rows), size=config.batch_size), device=rows.device)
            loss = model.nll(*model.split(rows[at]), phi)
            step(loss + algorithm.config.log_var_weight * model.log_var_penalty(), optimizer)

    def _real(self, paths: Sequence[PathDict]) -> Transitions:
        sparse = self.algorithm.sparse_rewards
        columns = [
            [path["observations"] for path in paths],
            [path["actions"] for path in paths],
            [recorded_rewards(path, sparse) for path in paths],
            [path["next_observations"] for path in paths],
            [path["terminals"] for path in paths],
        ]
        return Transitions(*(self._tensor(np.concatenate(column)) for column in columns))

    def _stored(self, algorithm: MIER) -> Transitions:
        """Transitions of some training tasks from the RL buffer, as many of each."""
        number = min(self.config.source_tasks, len(algorithm.train_tasks))
        tasks = self._rng.choice(algorithm.train_tasks, number, replace=False).tolist()
        each = max(1, self.config.relabeled_rows // number)
        batches = [algorithm.replay_buffer.random_batch(task, each) for task in tasks]
        keys = ("observations", "actions", "rewards", "next_observations", "terminals")
        return Transitions(*(self._tensor(np.concatenate([batch[key] for batch in batches])) for key in keys))

    def _batch(self, real: Transitions, pool: Transitions | None) -> Transitions:
        """`real_share` of the task's own transitions, the rest relabeled."""
        size = self.config.batch_size
        own = size if pool is None else round(self.config.real_share * size)
        batch = real.rows(self._rng.integers(len(real.obs), size=own))
        if pool is None:
            return batch
        other = pool.rows(self._rng.integers(len(pool.obs), size=size - own))
        return Transitions(*(torch.cat(pair) for pair in zip(batch, other, strict=True)))

    @torch.no_grad()
    def _evaluate(self, task: int, z: Tensor, updates: int, model_loss: float) -> Figures:
        algorithm, number = self.algorithm, self.config.eval_trajectories
        algorithm.agent.z = z.repeat(number, 1)
        paths = algorithm.sampler.obtain_paths(
            [task] * number, deterministic=algorithm.config.eval_deterministic
        )
        returns = [path_return(path, algorithm.sparse_rewards) for path in paths]
        successes = [path_success(path) for path in paths]
        return Figures(task, updates, float(np.mean(returns)), float(np.mean(successes)), model_loss)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(np.asarray(array, np.float32), device=self.algorithm.device)

    @contextmanager
    def _as_before(self) -> Iterator[None]:
        """Put the networks and their optimizers back after the block."""
        algorithm = self.algorithm
        parts = algorithm.named_parts()
        saved: State = {name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}
        try:
            yield
        finally:
            for name, part in parts.items():
                part.load_state_dict(saved[name])


def _check_finite(losses: Mapping[str, float], updates: int, task: int) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise DivergedError(
                f"{name} became {value} after {updates} updates on task {task};"
                " lower adapt_steps, or the learning rates of the run"
            )
