"""A reward model r(s, a, task vector), trained on the collected data as training goes (HFR
section 5.2, figures 8c and 8d).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit_hfr.paths import PathDict, info_column
from rlkit_hfr.replay_buffer import SimpleReplayBuffer
from rlkit_hfr.rewards.task_rewards import RewardFunction, TaskRewards, own_terminals
from rlkit_hfr.state import State

_MAX_ROWS = 8_192
_SMALLEST_DEVIATION = 1e-3


class LearnedReward:
    """Hindsight rewards without a reward function: what an episode paid is learned, and
    predicted for other tasks.

    A network of two hidden layers regresses the rewards (and sparse rewards, where
    paths record them), on inputs and targets that are standardised by the data kept. It
    lives on the CPU, with generators of its own.
    """

    def __init__(
        self,
        task_vectors: Mapping[int, np.ndarray],
        terminals: RewardFunction | None,
        seed: int,
        hidden_size: int = 128,
        capacity: int = 100_000,
        fit_steps: int = 200,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
    ) -> None:
        """task_vectors: (G,) of each task; terminals: the environment's reward function,
            of which the terminals are taken, None for those of the paths;
        capacity: transitions that are kept; fit_steps: gradient steps of a `fit`.
        """
        self._vectors = {task: np.asarray(v, np.float32) for task, v in task_vectors.items()}
        self._terminals = terminals
        self._seed = seed
        self._hidden_size = hidden_size
        self._capacity = capacity
        self._fit_steps = fit_steps
        self._batch_size = batch_size
        self._learning_rate = learning_rate
        self._rng = np.random.default_rng(seed)
        self._data: SimpleReplayBuffer | None = None
        self._has_sparse = False
        self._fitted_rows = 0

    def _build(self, obs_dim: int, action_dim: int, has_sparse: bool) -> SimpleReplayBuffer:
        width, self._has_sparse = obs_dim + len(next(iter(self._vectors.values()))), has_sparse
        data = SimpleReplayBuffer(self._capacity, width, action_dim, self._rng)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self._seed)  # and no other device's
            sizes = [width + action_dim, self._hidden_size, self._hidden_size]
            hidden = [layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.ReLU())]
            self._net = nn.Sequential(*hidden, nn.Linear(sizes[-1], 1 + has_sparse))
        self._optimizer = torch.optim.Adam(self._net.parameters(), lr=self._learning_rate)
        self._input_scale, self._target_scale = (
            torch.zeros(2, n) for n in (width + action_dim, 1 + has_sparse)
        )
        return data

    def observe(self, paths: Sequence[PathDict], task: int) -> np.ndarray:
        errors = [np.zeros(0)]
        for path in paths:
            obs = np.asarray(path["observations"], np.float32).reshape(len(path["rewards"]), -1)
            sparse = info_column(path, "sparse_reward")
            if self._data is None:
                self._data = self._build(obs.shape[1], np.shape(path["actions"])[1], sparse is not None)
            if self._fitted_rows:
                predicted = self._predict(path, [task])[0][0]
                errors.append(np.square(predicted - np.reshape(path["rewards"], -1)))
            rows = np.concatenate(
                [obs, np.broadcast_to(self._vectors[task], (len(obs), len(self._vectors[task])))], axis=1
            )
            infos = {} if sparse is None else {"sparse_reward": sparse}
            self._data.add_path({**path, "observations": rows, "next_observations": rows, "env_infos": infos})
        return np.concatenate(errors)

    def _targets(self, batch: Mapping[str, np.ndarray]) -> Tensor:
        keys = ("rewards", "sparse_rewards")[: 1 + self._has_sparse]
        return torch.as_tensor(np.concatenate([batch[key] for key in keys], axis=1))

    @staticmethod
    def _inputs(batch: Mapping[str, np.ndarray]) -> Tensor:
        return torch.as_tensor(np.concatenate([batch["observations"], batch["actions"]], axis=1))

    @property
    def ready(self) -> bool:
        return True

    def fit(self) -> None:
        if self._data is None:
            return
        sample = self._data.random_batch(min(10_000, 4 * self._data.num_steps_can_sample()))
        for scale, rows in (
            (self._input_scale, self._inputs(sample)),
            (self._target_scale, self._targets(sample)),
        ):
            scale[0], scale[1] = (
                rows.mean(dim=0),
                rows.std(dim=0, unbiased=False).clamp(min=_SMALLEST_DEVIATION),
            )
        number, unusual = self._data.num_steps_can_sample(), self._data.unusual_rows()
        with torch.enable_grad():
            for _ in range(self._fit_steps):
                batch = self._data.take(self._balanced(number, unusual))
                target = (self._targets(batch) - self._target_scale[0]) / self._target_scale[1]
                loss = F.mse_loss(
                    self._net((self._inputs(batch) - self._input_scale[0]) / self._input_scale[1]), target
                )
                self._optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self._optimizer.step()
        self._fitted_rows = number

    def _balanced(self, number: int, unusual: np.ndarray) -> np.ndarray:
        """Indices of a batch of `number` rows: an eighth from the unusual ones, where there are any, the
        rest from all."""
        rows = self._rng.integers(0, number, self._batch_size)
        if len(unusual):
            share = self._batch_size // 8
            rows[:share] = self._rng.choice(unusual, share)
        return rows

    @torch.no_grad()
    def _predict(self, path: PathDict, tasks: Sequence[int]) -> np.ndarray:
        """(heads, K, T) rewards and, where there are any, sparse rewards."""
        obs, actions = (
            np.asarray(path[key], np.float32).reshape(len(path["rewards"]), -1)
            for key in ("observations", "actions")
        )
        vectors = np.stack([self._vectors[task] for task in tasks])
        grid = (len(vectors), len(obs))
        parts = (
            np.broadcast_to(obs, (*grid, obs.shape[1])),
            np.broadcast_to(vectors[:, None], (*grid, vectors.shape[1])),
            np.broadcast_to(actions, (*grid, actions.shape[1])),
        )
        rows = torch.as_tensor(np.concatenate(parts, axis=2)).flatten(0, 1)
        out = torch.cat(
            [
                self._net((chunk - self._input_scale[0]) / self._input_scale[1])
                for chunk in rows.split(_MAX_ROWS)
            ]
        )
        return (out * self._target_scale[1] + self._target_scale[0]).T.reshape(-1, *grid).numpy()

    def rewards(self, path: PathDict, tasks: Sequence[int]) -> TaskRewards:
        """Predicted rewards of a path under K tasks; terminals of the environment, or else of the
        path.
        """
        if self._data is not None and self._data.num_steps_can_sample() >= 2 * self._fitted_rows:
            self.fit()  # before the first update: the initial pool goes on growing
        predicted = self._predict(path, tasks)
        known = self._terminals
        terminals = own_terminals(path, len(tasks)) if known is None else known(path, tasks).terminals
        return TaskRewards(predicted[0], terminals.astype(bool), predicted[1] if self._has_sparse else None)

    def state_dict(self) -> State:
        if self._data is None:
            return {}
        shape = (
            self._data.observation_dim - len(next(iter(self._vectors.values()))),
            self._data.action_dim,
            self._has_sparse,
        )
        return dict(
            shape=list(shape),
            fitted_rows=self._fitted_rows,
            data=self._data.state_dict(),
            rng=dict(self._rng.bit_generator.state),
            net=self._net.state_dict(),
            optimizer=self._optimizer.state_dict(),
            scales=[self._input_scale, self._target_scale],
        )

    def load_state_dict(self, state: State) -> None:
        if not state:
            return
        self._data = self._build(*state["shape"])
        self._fitted_rows = state["fitted_rows"]
        self._data.load_state_dict(state["data"])
        self._rng.bit_generator.state = state["rng"]
        self._net.load_state_dict(state["net"])
        self._optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))  # which would share its tensors
        self._input_scale, self._target_scale = (scale.clone() for scale in state["scales"])
