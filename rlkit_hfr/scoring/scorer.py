"""What relabelers may ask of a host, in tensors: latents, initial states, transitions and
networks. It changes nothing in the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.paths import PathDict, pad
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.scoring.host_view import HostView
from rlkit_hfr.scoring.noise import NormalNoise
from rlkit_hfr.scoring.path_rewards import PathRewards
from rlkit_hfr.scoring.rollouts import rollout_utilities
from rlkit_hfr.scoring.task_memory import TaskMemory
from rlkit_hfr.state import State, rng_state, set_rng_state
from rlkit_hfr.utility import MAX_ROWS, MAX_ROWS_OFF_CPU, TransitionBatch, grid_chunks

LATENTS = ("sample", "mean")
T = TypeVar("T")


class Posterior(NamedTuple):
    """Diagonal Gaussians over z. mean, variance: (..., Z)."""

    mean: Tensor
    variance: Tensor


class Scorer(PathRewards):
    """Batched questions over N paths and K candidate tasks. Quantities that depend on the
    networks alone are kept until `refresh`.
    """

    def __init__(
        self,
        networks: HostView,
        memory: TaskMemory,
        hindsight: Hindsight,
        candidate_tasks: Sequence[int],
        seed: np.random.SeedSequence,
        max_rows: int | None = None,
    ) -> None:
        """max_rows: of one forward pass; None for what suits the networks' device."""
        super().__init__(networks, hindsight, candidate_tasks)
        self.memory = memory
        self._max_rows = max_rows
        numpy_seed, torch_seed = seed.spawn(2)
        self._rng = np.random.default_rng(numpy_seed)
        self._noise = NormalNoise(int(torch_seed.generate_state(1)[0]))
        self._kept: dict[str, Any] = {}

    @property
    def max_rows(self) -> int:
        return self._max_rows or (MAX_ROWS if self.networks.device.type == "cpu" else MAX_ROWS_OFF_CPU)

    @property
    def can_reward(self) -> bool:
        """Whether hindsight rewards mean something: those of a model that was never trained do not."""
        return self._hindsight.learner is None or self._hindsight.learner.ready

    def refresh(self) -> None:
        """The networks have changed: forget what was computed with the old ones."""
        self._kept.clear()
        if self._hindsight.learner is not None:
            self._hindsight.learner.fit()

    def once(self, key: str, compute: Callable[[], T]) -> T:
        """`compute()`, or its result since the last `refresh`. Tensors and tuples of tensors are in
        checkpoints; what is of another kind is computed anew after a resumption."""
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]

    def noise(self, *shape: int) -> Tensor:
        """Standard normal noise on the networks' device, from the scorer's own generator."""
        return self._noise(self.networks.device, *shape)

    def action(self, obs: Tensor, z: Tensor) -> Tensor:
        """a ~ pi(.|s, z): (R, A)."""
        return self.networks.action(obs, z, self.noise)

    def value(self, obs: Tensor, z: Tensor) -> Tensor:
        """The target V(s, z): (R, 1)."""
        return self.networks.value(obs, z, self.noise)

    @property
    def in_order(self) -> bool:
        """Whether the host's posterior depends on the order of a context's rows."""
        return bool(getattr(self.networks, "in_order", False))

    @property
    def samples_alone(self) -> bool:
        """Whether the host's posteriors are samples of z and no Gaussians: each asking gives another."""
        return bool(getattr(self.networks, "samples_alone", False))

    def simulated_utilities(self, z: Tensor, num_rollouts: int) -> Tensor:
        """What the policy earns in the simulator with latents z (N, K, Z): (N, K), discounted and scaled as
        the critic's values are (HFR eq. 4)."""
        env, length = self.networks.simulator()
        if hasattr(env, "seed"):
            env.seed(int(self._rng.integers(2**31)))
        discount, tasks = self.networks.discount, self.candidate_tasks
        earned = rollout_utilities(env, tasks, z, self.action, discount, length, num_rollouts)
        return self.networks.reward_scale * earned.to(z)

    def tensor(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(np.asarray(array, np.float32), device=self.networks.device)

    def sampled_returns(self, samples: str, number: int) -> np.ndarray:
        """Undiscounted, unscaled returns of `number` samples of each candidate task (at most that many where
        "pooled"), of the context's rewards: (number, K)."""
        if samples == "pooled":
            return self.returns(self.memory.pooled_paths(number), discount=1.0, of_context=True)
        reward, drawn = self.networks.layout.reward, self._sampled_contexts(samples, number)
        return np.array([[rows[:, reward].sum(dtype=np.float64) for rows in task] for task in drawn]).T

    def sampled_transitions(self, samples: str, number: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Observations (R, S) and actions (R, A) of `number` samples of each candidate task, not "pooled"."""
        layout = self.networks.layout
        rows = [np.concatenate(task) for task in self._sampled_contexts(samples, number)]
        return [(task[:, layout.obs], task[:, layout.action]) for task in rows]

    def _sampled_contexts(self, samples: str, number: int) -> list[list[np.ndarray]]:
        """Context rows of `number` samples of each candidate task: whole "trajectories" stored for it, or
        "contexts" of random rows of its latest visit."""
        if samples == "contexts":
            return [self.memory.contexts(task, number, self.in_order) for task in self.candidate_tasks]
        return [self.memory.trajectories(task, number) for task in self.candidate_tasks]

    @torch.no_grad()
    def task_values(self, obs: np.ndarray) -> Tensor:
        """V(s, psi) = min Q(s, a ~ pi(.|s, z_psi), z_psi) of observations (N, S) under
        each candidate task: (N, K).
        """
        (z,) = self.once("task_latents", self.task_latents)
        shape = (len(obs), len(z))
        rows_obs = self.tensor(obs).unsqueeze(1).expand(*shape, -1).flatten(0, 1)
        rows_z = z.unsqueeze(0).expand(*shape, -1).flatten(0, 1)
        return torch.min(*self.networks.critics(rows_obs, self.action(rows_obs, rows_z), rows_z)).view(shape)

    @torch.no_grad()
    def path_posteriors(self, paths: Sequence[PathDict]) -> Posterior:
        """q(z | tau relabeled with psi) of every path and candidate task: (N, K, Z)."""
        rows, rewards, steps = (
            self.tensor(pad([of(path) for path in paths])[0])
            for of in (
                self.context_of,
                lambda path: self.context_rewards(path).T,
                lambda path: self.episode(path).T,
            )
        )  # (N, T, D), (N, T, K), (N, T, K)
        grid = (len(paths), len(self.candidate_tasks))
        posterior: Posterior | None = None
        for n, k in grid_chunks(*grid, steps.shape[1], self.max_rows):
            context = rows[n].unsqueeze(1).repeat(1, len(self.candidate_tasks[k]), 1, 1)
            context[..., self.networks.layout.reward] = rewards[n, :, k].transpose(1, 2)
            mask = steps[n, :, k].transpose(1, 2).bool()
            parts = self.networks.posterior(context.flatten(0, 1), mask.flatten(0, 1))
            if posterior is None:
                posterior = Posterior(*(part.new_empty(*grid, part.shape[-1]) for part in parts))
            for whole, part in zip(posterior, parts):
                whole[n, k] = part.view(*context.shape[:2], -1)
        assert posterior is not None
        return posterior

    @torch.no_grad()
    def sampled_posteriors(self, samples: str, number: int) -> Posterior:
        """q(z|c) of `number` samples of each candidate task (at most that many where
        "pooled"): (number, K, Z).
        """
        if samples == "pooled":
            return self.path_posteriors(self.memory.pooled_paths(number))
        drawn = self._sampled_contexts(samples, number)
        flat = [rows for task in drawn for rows in task]
        parts = []
        for cells, _ in grid_chunks(len(flat), 1, max(map(len, flat)), self.max_rows):
            context, mask = (
                torch.as_tensor(array, device=self.networks.device) for array in pad(flat[cells])
            )
            parts.append(self.networks.posterior(context, mask))
        wholes = (torch.cat(part).view(len(drawn), number, -1) for part in zip(*parts))
        return Posterior(*(whole.transpose(0, 1).contiguous() for whole in wholes))

    @torch.no_grad()
    def task_latents(
        self, number: int = 1, latent: str = "sample", tasks: Sequence[int] | None = None
    ) -> Tensor:
        """`number` z_psi ~ q(z|c), c a context batch from trajectories stored for each
        of the tasks (None: the candidates): (number, K, Z).
        """
        size, chosen = self.networks.context_batch_size, self.candidate_tasks if tasks is None else tasks
        drawn = [self.memory.context_batch(task, size, self._rng, self.in_order) for task in chosen]
        context, mask = (torch.as_tensor(array, device=self.networks.device) for array in pad(drawn))
        draws = []
        posterior: Posterior | None = None
        for _ in range(number):
            if posterior is None or self.samples_alone:
                posterior = Posterior(*self.networks.posterior(context, mask))
            draws.append(self.latents(posterior, latent))
        return torch.stack(draws)

    def latents(self, posterior: Posterior, latent: str) -> Tensor:
        """A "sample" of each Gaussian, or its "mean": (..., Z)."""
        if latent == "mean":
            return posterior.mean
        return posterior.mean + posterior.variance.sqrt() * self.noise(*posterior.mean.shape)

    def initial_obs(self, number: int) -> Tensor:
        """Initial states of each candidate task: (K, number, S)."""
        return self.tensor(np.stack([self.memory.initial_obs(task, number) for task in self.candidate_tasks]))

    def transitions(self, number: int) -> TransitionBatch:
        """Transitions of each candidate task's RL buffer, K x number."""
        batches = [self.networks.transitions(task, number, self._rng) for task in self.candidate_tasks]
        keys = ("observations", "actions", "rewards", "next_observations", "terminals")
        return TransitionBatch(*(self.tensor(np.stack([batch[key] for batch in batches])) for key in keys))

    def state_dict(self) -> State:
        learner = self._hindsight.learner
        return dict(
            rng=rng_state(self._rng),
            **self._noise.state_dict(self.networks.device),
            kept={key: value for key, value in self._kept.items() if _of_tensors(value)},
            memory=self.memory.state_dict(),
            learner=None if learner is None else learner.state_dict(),
        )

    def load_state_dict(self, state: State) -> None:
        set_rng_state(self._rng, state["rng"])
        self._noise.load_state_dict(state, self.networks.device)
        self._kept = {key: _moved(value, self.networks.device) for key, value in state["kept"].items()}
        self.memory.load_state_dict(state["memory"])
        if self._hindsight.learner is not None:
            self._hindsight.learner.load_state_dict(state["learner"])


def _of_tensors(value: object) -> bool:
    """Whether a checkpoint holds it as it is; a named tuple is of a class that it would not know."""
    parts = value if type(value) is tuple else (value,)
    return all(isinstance(part, Tensor) for part in parts)


def _moved(value: Tensor | tuple[Tensor, ...], device: torch.device) -> Tensor | tuple[Tensor, ...]:
    return tuple(part.to(device) for part in value) if isinstance(value, tuple) else value.to(device)
