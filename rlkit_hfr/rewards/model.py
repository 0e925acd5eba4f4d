"""A reward model r(s, a, phi) that tells tasks apart by their data: phi adapts to each task by
gradient steps (MIER sections 4.1 and 4.3).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.context_model import ContextModel, InnerSteps, adapt_context
from rlkit_hfr.paths import PathDict, info_column
from rlkit_hfr.replay_buffer import SimpleReplayBuffer
from rlkit_hfr.rewards.task_rewards import RewardFunction, TaskRewards, own_terminals
from rlkit_hfr.state import State

if TYPE_CHECKING:
    from rlkit_hfr.mier.agent import TaskModel

_LATENT_DIM, _HIDDEN_SIZE = 5, 64
_LEARNING_RATE, _LOG_VAR_WEIGHT = 1e-3, 0.01
_MAX_ROWS = 8_192
_MAX_TASKS = 8  # in one gradient step
# the first steps on phi are large: with a model that is certain, its likelihood is steep
_HOW = InnerSteps(steps=3, learning_rate=0.1, clip=10.0)


class ModelReward:
    """Hindsight rewards of a model that needs no task vectors: what each task has collected
    says which rewards it pays.

    It trains a model of its own by MIER's meta-learning, or takes the algorithm's. Then it
    adapts phi to each task's data, and predicts the mean reward.
    """

    def __init__(
        self,
        tasks: Sequence[int],
        terminals: RewardFunction | None,
        seed: int,
        own_model: tuple[TaskModel, InnerSteps] | None = None,
        capacity: int = 5_000,
        fit_steps: int = 100,
        adapt_rows: int = 256,
        train_rows: int = 64,
    ) -> None:
        """terminals: the environment's reward function, of which the terminals are taken,
            None for those of the paths;
        own_model: the algorithm's `TaskModel`, which is not trained here, and its inner
            steps; None to train one;
        capacity: transitions that are kept of each task; fit_steps: gradient steps of a
            `fit`; train_rows: of each task in the inner and in the
            outer loss of one; adapt_rows: that phi adapts on at last.
        """
        if not hasattr(torch, "func"):
            raise ValueError(
                f'rewards="model" needs torch 2.0 or newer, got {torch.__version__}; use rewards="learned"'
            )
        self._tasks = list(tasks)
        self._terminals = terminals
        self._seed = seed
        self._own = None if own_model is None else own_model[0]
        self._how = _HOW if own_model is None else own_model[1]
        self._capacity = capacity
        self._fit_steps = fit_steps
        self._adapt_rows = adapt_rows
        self._train_rows = train_rows
        self._rng = np.random.default_rng(seed)
        self._data: dict[int, SimpleReplayBuffer] = {}
        self._has_sparse = False
        self._fitted_rows = 0
        self._ready = own_model is None

    @property
    def ready(self) -> bool:
        """An algorithm's own model is random, and in no units, before its first update."""
        return self._ready

    @property
    def _device(self) -> torch.device:
        return self._model.phi.device

    def _build(self, obs_dim: int, action_dim: int, has_sparse: bool) -> None:
        self._has_sparse = has_sparse and self._own is None
        self._data = {
            task: SimpleReplayBuffer(self._capacity, obs_dim, action_dim, self._rng) for task in self._tasks
        }
        if self._own is not None:
            self._model: ContextModel = self._own
            self._ready = self._own.standardised
        else:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(self._seed)  # and no other device's
                self._model = ContextModel(
                    obs_dim + action_dim, 1 + self._has_sparse, _LATENT_DIM, _HIDDEN_SIZE, layers=2
                )
            self._optimizer = torch.optim.Adam(self._model.parameters(), lr=_LEARNING_RATE)
        self._phi = self._model.phi.detach().repeat(len(self._tasks), 1)

    def observe(self, paths: Sequence[PathDict], task: int) -> np.ndarray:
        errors = [np.zeros(0)]
        for path in paths:
            if not self._data:
                sparse = info_column(path, "sparse_reward")
                obs_dim = int(np.prod(np.shape(path["observations"])[1:]))
                self._build(obs_dim, np.shape(path["actions"])[1], sparse is not None)
            if self._fitted_rows and self._ready:
                predicted = self._predict(path, [task])[0][0]
                errors.append(np.square(predicted - np.reshape(path["rewards"], -1)))
            self._data[task].add_path(_flat(path))
        return np.concatenate(errors)

    def _rows(self) -> int:
        return sum(buffer.num_steps_can_sample() for buffer in self._data.values())

    def _batch(self, tasks: Sequence[int], number: int) -> tuple[Tensor, Tensor]:
        """Inputs (N, number, I) and targets (N, number, O) of N tasks."""
        batches = [self._data[task].random_batch(number) for task in tasks]
        columns = {key: self._tensor(np.stack([batch[key] for batch in batches])) for key in batches[0]}
        inputs = torch.cat([columns["observations"], columns["actions"]], dim=-1)
        targets = [columns["rewards"]]
        if self._own is not None and self._own.layout.with_next_obs:
            targets.insert(0, columns["next_observations"] - columns["observations"])
        if self._has_sparse:
            targets.append(columns["sparse_rewards"])
        return inputs, torch.cat(targets, dim=-1)

    def fit(self) -> None:
        """Train on what was noted, then adapt phi to every task that has data."""
        counts = [self._data[task].num_steps_can_sample() if self._data else 0 for task in self._tasks]
        known = [i for i, count in enumerate(counts) if count]
        if not known:
            return
        tasks = [self._tasks[i] for i in known]
        if self._own is None:
            self._train(tasks)
        with torch.no_grad():
            phi = adapt_context(self._model, *self._batch(tasks, self._adapt_rows), self._how)
            self._phi = self._model.phi.detach().repeat(len(self._tasks), 1)
            self._phi[known] = phi
        self._fitted_rows = self._rows()
        self._ready = self._ready or self._model.standardised

    def _train(self, tasks: Sequence[int]) -> None:
        """MIER's outer loss: that of fresh rows with phi adapted to others of the same task."""
        inputs, targets = self._batch(tasks, self._adapt_rows)
        self._model.standardise(inputs.flatten(0, 1), targets.flatten(0, 1))
        with torch.enable_grad():
            for _ in range(self._fit_steps):
                some = self._rng.choice(len(tasks), min(_MAX_TASKS, len(tasks)), replace=False)
                chosen = [tasks[i] for i in some]
                phi = adapt_context(self._model, *self._batch(chosen, self._train_rows), self._how)
                loss = self._model.nll(*self._batch(chosen, self._train_rows), phi).mean()
                loss = loss + _LOG_VAR_WEIGHT * self._model.log_var_penalty()
                self._optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self._optimizer.step()

    @torch.no_grad()
    def _predict(self, path: PathDict, tasks: Sequence[int]) -> np.ndarray:
        """(heads, K, T) rewards and, where there are any, sparse rewards."""
        path = _flat(path)
        rows = self._tensor(np.concatenate([path["observations"], path["actions"]], axis=1))
        phi = self._phi[[self._tasks.index(task) for task in tasks]]
        several = max(1, _MAX_ROWS // len(rows))
        parts = [
            self._model.predict(rows.expand(len(some), *rows.shape), some)[0] for some in phi.split(several)
        ]
        means = torch.cat(parts)  # (K, T, O), the algorithm's own with the reward last
        heads = means if self._own is None else means[..., -1:]
        return heads.permute(2, 0, 1).cpu().numpy()

    def rewards(self, path: PathDict, tasks: Sequence[int]) -> TaskRewards:
        """Predicted rewards of a path under K tasks; terminals of the environment, or else of the
        path.
        """
        if self._data and self._rows() >= 2 * self._fitted_rows:
            self.fit()  # before the first update: the initial pool goes on growing
        predicted = self._predict(path, tasks)
        known = self._terminals
        terminals = own_terminals(path, len(tasks)) if known is None else known(path, tasks).terminals
        return TaskRewards(predicted[0], terminals.astype(bool), predicted[1] if self._has_sparse else None)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(np.asarray(array, np.float32), device=self._device)

    def state_dict(self) -> State:
        if not self._data:
            return {}
        some = self._data[self._tasks[0]]
        model: State
        if self._own is None:
            model = dict(net=self._model.state_dict(), optimizer=self._optimizer.state_dict())
        else:
            model = dict(ready=self._ready)
        return dict(
            shape=[some.observation_dim, some.action_dim, self._has_sparse],
            fitted_rows=self._fitted_rows,
            data=[self._data[task].state_dict() for task in self._tasks],
            rng=dict(self._rng.bit_generator.state),
            phi=self._phi,
            **model,
        )

    def load_state_dict(self, state: State) -> None:
        if not state:
            return
        self._build(*state["shape"])
        self._fitted_rows = state["fitted_rows"]
        for task, saved in zip(self._tasks, state["data"]):
            self._data[task].load_state_dict(saved)
        self._rng.bit_generator.state = state["rng"]
        self._phi = state["phi"].to(self._device, copy=True)
        if self._own is not None:
            self._ready = state["ready"]
        else:
            self._model.load_state_dict(state["net"])
            # load_state_dict keeps references: copy, so that the checkpoint stays unchanged
            self._optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))


def _flat(path: PathDict) -> PathDict:
    """The path with observations and actions as rows of float32."""
    keys = ("observations", "next_observations", "actions")
    steps = len(path["rewards"])
    return {**path, **{key: np.asarray(path[key], np.float32).reshape(steps, -1) for key in keys}}
