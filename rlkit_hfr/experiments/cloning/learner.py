"""Behaviour cloning on observation and task vector (Eysenbach et al. 2020, section 6.2 and appendix C.2)."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit_hfr.experiments.cloning.labels import Labelled

_SMALLEST_DEVIATION = 1e-3


@dataclass(frozen=True, kw_only=True)
class CloningSettings:
    """Those of HIPI's appendix C.2, and what it does not name."""

    hidden_size: int = 256  # units of each of the two hidden layers
    learning_rate: float = 3e-4
    batch_size: int = 256  # transitions in a gradient step
    patience: int = 3  # epochs without a smaller held-out error after which training stops
    max_epochs: int = 200
    held_out: float = 0.1  # share of the labelled demonstrations that the error is measured on


class ClonedPolicy(nn.Module):
    """a = f((s - mean) / deviation, task vector), two hidden layers of ReLU. It serves a sampler as an
    agent: z holds the task vectors (N, G)."""

    z: Tensor

    def __init__(self, obs_dim: int, task_dim: int, action_dim: int, hidden_size: int) -> None:
        super().__init__()
        sizes = (obs_dim + task_dim, hidden_size, hidden_size)
        self.net = nn.Sequential(
            nn.Linear(sizes[0], sizes[1]),
            nn.ReLU(),
            nn.Linear(sizes[1], sizes[2]),
            nn.ReLU(),
            nn.Linear(sizes[2], action_dim),
        )
        self.register_buffer("obs_scale", torch.stack([torch.zeros(obs_dim), torch.ones(obs_dim)]))
        self.register_buffer("action_scale", torch.stack([torch.zeros(action_dim), torch.ones(action_dim)]))
        self.register_buffer("z", torch.zeros(1, task_dim))

    def forward(self, obs: Tensor, tasks: Tensor) -> Tensor:
        """The normalised action: obs (R, S), tasks (R, G) -> (R, A)."""
        mean, deviation = self.get_buffer("obs_scale")
        return self.net(torch.cat([(obs - mean) / deviation, tasks], dim=-1))

    @torch.no_grad()
    def get_actions(self, obs: np.ndarray, deterministic: bool = True) -> np.ndarray:
        """obs: (N, S), row i for the task z[i]. Returns (N, A) in [-1, 1]."""
        mean, deviation = self.get_buffer("action_scale")
        out = self(torch.as_tensor(obs, dtype=torch.float32), self.z)
        return (out * deviation + mean).clamp(-1.0, 1.0).numpy()


def transitions(labelled: list[Labelled], task_vectors: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Observations (M, S), task vectors (M, G), 0 where none is told, actions (M, A), and which of the
    labelled demonstrations each is of (M,)."""
    columns: tuple[list[np.ndarray], ...] = ([], [], [], [])
    for i, (path, steps, task) in enumerate(labelled):
        vector = np.zeros(task_vectors.shape[1]) if task is None else task_vectors[task]
        number = int(steps.sum())
        parts = (path["observations"][steps], np.tile(vector, (number, 1)), path["actions"][steps])
        for column, part in zip(columns, (*parts, np.full(number, i)), strict=True):
            column.append(part)
    obs, tasks, actions = (torch.as_tensor(np.concatenate(c), dtype=torch.float32) for c in columns[:3])
    return obs, tasks, actions, torch.as_tensor(np.concatenate(columns[3]))


def clone(
    labelled: list[Labelled], task_vectors: np.ndarray, seed: int, settings: CloningSettings
) -> tuple[ClonedPolicy, list[float]]:
    """The policy with the smallest held-out error, and that error after each epoch: mean squared, of
    normalised actions. task_vectors: (n_tasks, G)."""
    obs, tasks, actions, owner = transitions(labelled, task_vectors)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = ClonedPolicy(obs.shape[1], tasks.shape[1], actions.shape[1], settings.hidden_size)
    order = torch.randperm(len(labelled), generator=generator)
    held_out = torch.isin(owner, order[: max(1, round(settings.held_out * len(labelled)))])
    if held_out.all():
        raise ValueError(f"cloning needs two demonstrations or more, got {len(labelled)}")
    for name, values in (("obs_scale", obs), ("action_scale", actions)):
        scale = policy.get_buffer(name)
        kept = values[~held_out]
        scale[0] = kept.mean(dim=0)
        scale[1] = kept.std(dim=0, correction=0).clamp(min=_SMALLEST_DEVIATION)
    mean, deviation = policy.get_buffer("action_scale")
    target = (actions - mean) / deviation
    return _fit(policy, (obs, tasks, target), held_out, generator, settings)


def _fit(
    policy: ClonedPolicy,
    data: tuple[Tensor, Tensor, Tensor],
    held_out: Tensor,
    generator: torch.Generator,
    settings: CloningSettings,
) -> tuple[ClonedPolicy, list[float]]:
    obs, tasks, target = (part[~held_out] for part in data)
    test_obs, test_tasks, test_target = (part[held_out] for part in data)
    optimizer = torch.optim.Adam(policy.parameters(), lr=settings.learning_rate)
    errors: list[float] = []
    best = copy.deepcopy(policy.state_dict())
    while len(errors) < settings.max_epochs:
        for rows in torch.randperm(len(obs), generator=generator).split(settings.batch_size):
            optimizer.zero_grad(set_to_none=True)
            F.mse_loss(policy(obs[rows], tasks[rows]), target[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            errors.append(float(F.mse_loss(policy(test_obs, test_tasks), test_target)))
        if errors[-1] == min(errors):
            best = copy.deepcopy(policy.state_dict())
        if len(errors) - 1 - int(np.argmin(errors)) >= settings.patience:
            break
    policy.load_state_dict(best)
    return policy, errors
