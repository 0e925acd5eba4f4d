"""Critics, policies, encoders and agents of oyster's descendants."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from standin_families import Agent, Encoder, mlp
from torch import nn
from torch.nn import functional as F
from worlds import ACT, OBS, Z


class JoinedCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(OBS + ACT + Z, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.net(inputs).squeeze(-1)


class NamedCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(OBS + ACT + Z, 1)

    def forward(self, latent: torch.Tensor, state: torch.Tensor, act: torch.Tensor) -> torch.Tensor:
        return self.net(torch.cat([state, act, latent], dim=-1))


class TwoInputPolicy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(OBS + Z, 2 * ACT)

    def forward(self, obs: torch.Tensor, z: torch.Tensor) -> Any:
        mean, log_std = self.net(torch.cat([obs, z], dim=-1)).chunk(2, dim=-1)
        normal = torch.distributions.Independent(torch.distributions.Normal(mean, log_std.exp()), 1)
        return torch.distributions.TransformedDistribution(normal, [torch.distributions.TanhTransform()])


class TwoInputAgent(Agent):
    def __init__(self) -> None:
        super().__init__()
        self.policy = TwoInputPolicy()

    def act(self, obs: np.ndarray) -> np.ndarray:
        return (
            self.policy(torch.as_tensor(obs, dtype=torch.float32)[None], self.z).sample()[0].detach().numpy()
        )


class DropoutAgent(Agent):
    """Draws from torch's generator in every forward pass while in training mode, and
    averages Gaussians instead of multiplying them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.context_encoder.net = nn.Sequential(
            nn.Linear(OBS + ACT + 1, 12), nn.Dropout(0.3), nn.Tanh(), nn.Linear(12, 2 * Z)
        )

    def infer_posterior(self, context: torch.Tensor) -> None:
        params = self.context_encoder(context)
        self.z_means, self.z_vars = params[..., :Z].mean(dim=1), F.softplus(params[..., Z:]).mean(dim=1)
        self.sample_z()


class DeterministicAgent(Agent):
    def __init__(self) -> None:
        super().__init__()
        self.context_encoder = Encoder(outputs=Z)

    def infer_posterior(self, context: torch.Tensor) -> None:
        self.z_means = self.z = self.context_encoder(context).mean(dim=1)


class SeveralEncodersAgent(Agent):
    """No `context_encoder`: one network reads what was done and another what it was paid; z is a category
    and a number, drawn from a belief that has neither mean nor variance."""

    def __init__(self) -> None:
        super().__init__()
        del self.context_encoder
        self.behaviour_encoder, self.reward_encoder = mlp(OBS + ACT, 2), mlp(OBS + 1, 1)

    def clear_z(self) -> None:
        self.logits, self.number = torch.zeros(1, 2), torch.zeros(1, 1)
        self.sample_z()

    def sample_z(self) -> None:
        category = torch.distributions.OneHotCategorical(logits=self.logits).sample()
        self.z = torch.cat([category, self.number + torch.randn_like(self.number)], dim=-1)

    def infer_posterior(self, context: torch.Tensor) -> None:
        self.logits = self.behaviour_encoder(context[..., : OBS + ACT]).mean(dim=1)
        paid = torch.cat([context[..., :OBS], context[..., OBS + ACT : OBS + ACT + 1]], dim=-1)
        self.number = self.reward_encoder(paid).mean(dim=1)
        self.sample_z()


class DirichletAgent(Agent):
    """A concentration instead of a Gaussian; `z_means` is what it calls something else."""

    def __init__(self) -> None:
        super().__init__()
        self.context_encoder = Encoder(outputs=Z)

    def clear_z(self) -> None:
        self.concentration, self.z_means = torch.ones(1, Z), "not a tensor"
        self.sample_z()

    def sample_z(self) -> None:
        self.z = torch.distributions.Dirichlet(self.concentration).rsample()

    def infer_posterior(self, context: torch.Tensor) -> None:
        self.concentration = 1.0 + F.softplus(self.context_encoder(context)).sum(dim=1)
        self.sample_z()


class RecurrentEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.input_size = OBS + ACT + 1
        self.gru, self.head = nn.GRU(self.input_size, 8, batch_first=True), nn.Linear(8, 2 * Z)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tasks, steps, width = x.shape  # a sequence and nothing else
        return self.head(self.gru(x)[0][:, -1])


class RecurrentAgent(Agent):
    def __init__(self) -> None:
        super().__init__()
        self.context_encoder = RecurrentEncoder()

    def infer_posterior(self, context: torch.Tensor) -> None:
        self.z_means, log_vars = self.context_encoder(context).chunk(2, dim=-1)
        self.z_vars = log_vars.exp()
        self.sample_z()
