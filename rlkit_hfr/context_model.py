"""MIER's model p(s', r | s, a, phi) and the gradient steps that adapt its context phi (MIER
section 4.1), for several tasks at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SMALLEST_DEVIATION = 1e-3
_LOG_2_PI = math.log(2.0 * math.pi)


class ContextModel(nn.Module):
    """A network over (input, phi) with a Gaussian for each entry of the target.

    It works in standardised units, those of `standardise`; before that they are the given
    ones. The log-variances are bounded smoothly between two learned vectors, as in PETS and
    MBPO, on whose code MIER is built.
    """

    def __init__(
        self, input_dim: int, target_dim: int, latent_dim: int, hidden_size: int = 200, layers: int = 4
    ) -> None:
        """input_dim: I, the width of (s, a); target_dim: O; latent_dim: Z; the rest: of its
        leaky-ReLU network (MIER appendix A: 4 x 200).
        """
        super().__init__()
        self.input_dim = input_dim
        self.target_dim = target_dim
        self.latent_dim = latent_dim
        sizes = [input_dim + latent_dim, *[hidden_size] * layers]
        self.hidden = nn.ModuleList(nn.Linear(sizes[i], sizes[i + 1]) for i in range(layers))
        self.heads = nn.Linear(sizes[-1], 2 * target_dim)
        self.max_log_var = nn.Parameter(torch.full((target_dim,), 0.5))
        self.min_log_var = nn.Parameter(torch.full((target_dim,), -10.0))
        self.phi = nn.Parameter(torch.zeros(latent_dim))  # phi_0, where adaptation begins
        for name, width in (("input", input_dim), ("target", target_dim)):
            self.register_buffer(f"{name}_mean", torch.zeros(width))
            self.register_buffer(f"{name}_std", torch.ones(width))

    input_mean: Tensor
    input_std: Tensor
    target_mean: Tensor
    target_std: Tensor

    @property
    def standardised(self) -> bool:
        """Whether it has taken the units of some data, which its training begins with. No data has a mean of
        exactly 0 in all entries."""
        return bool((self.input_mean != 0).any())

    @torch.no_grad()
    def standardise(self, inputs: Tensor, targets: Tensor) -> None:
        """Take these rows' mean and deviation as the units. inputs: (R, I); targets: (R, O)."""
        for name, rows in (("input", inputs), ("target", targets)):
            getattr(self, f"{name}_mean").copy_(rows.mean(dim=0))
            deviation = rows.std(dim=0, unbiased=False)
            # an entry that never changes keeps its unit
            deviation = torch.where(deviation < _SMALLEST_DEVIATION, torch.ones_like(deviation), deviation)
            getattr(self, f"{name}_std").copy_(deviation)

    def forward(self, inputs: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the standardised target: (..., B, O) twice.

        inputs: (..., B, I); phi: (..., Z), one for the B rows.
        """
        rows = (inputs - self.input_mean) / self.input_std
        h = torch.cat([rows, phi.unsqueeze(-2).expand(*rows.shape[:-1], phi.shape[-1])], dim=-1)
        for layer in self.hidden:
            h = F.leaky_relu(layer(h))
        mean, log_var = self.heads(h).chunk(2, dim=-1)
        log_var = self.max_log_var - F.softplus(self.max_log_var - log_var)
        return mean, self.min_log_var + F.softplus(log_var - self.min_log_var)

    def predict(self, inputs: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the target, in its own units: (..., B, O) twice."""
        mean, log_var = self(inputs, phi)
        return mean * self.target_std + self.target_mean, (0.5 * log_var).exp() * self.target_std

    def nll(self, inputs: Tensor, targets: Tensor, phi: Tensor, mask: Tensor | None = None) -> Tensor:
        """E[-log p(target | input, phi)] in nats, of standardised targets: (...).

        targets: (..., B, O); mask: (..., B), False where a row is padding.
        """
        mean, log_var = self(inputs, phi)
        miss = (targets - self.target_mean) / self.target_std - mean
        rows = 0.5 * (miss.square() * (-log_var).exp() + log_var + _LOG_2_PI).sum(dim=-1)
        if mask is None:
            return rows.mean(dim=-1)
        weight = mask.to(rows.dtype)
        return (rows * weight).sum(dim=-1) / weight.sum(dim=-1)

    def log_var_penalty(self) -> Tensor:
        """How far apart the bounds of the log-variances are, summed; it pulls them together."""
        return (self.max_log_var - self.min_log_var).sum()


@dataclass(frozen=True)
class InnerSteps:
    """How phi adapts. learning_rate: alpha; late_factor: of alpha after the first two steps
    (1 in the paper, 0.1 in its release); clip: the largest norm of a task's gradient, 0 for
    none.
    """

    steps: int = 2
    learning_rate: float = 0.1
    late_factor: float = 1.0
    clip: float = 0.0


def adapt_context(
    model: ContextModel,
    inputs: Tensor,
    targets: Tensor,
    how: InnerSteps,
    mask: Tensor | None = None,
    phi: Tensor | None = None,
) -> Tensor:
    """phi_T = phi - alpha grad_phi E[-log p(target | input, phi)], several times (MIER section
    4.1): (N, Z), for the data of N tasks at once.

    inputs: (N, B, I); targets: (N, B, O); mask: (N, B); phi: (N, Z) to begin at, phi_0 by
    default. The result depends on the weights and on phi through the steps, so that its
    gradient is of second order; under ``no_grad`` no graph is kept.
    """

    def losses(phi: Tensor) -> Tensor:
        # Row i of phi enters the loss of task i alone: the sum's gradient is every task's own.
        return model.nll(inputs, targets, phi, mask).sum()

    gradient = torch.func.grad(losses)
    phi = model.phi.expand(len(inputs), -1) if phi is None else phi
    for number in range(how.steps):
        slope = gradient(phi)
        if how.clip > 0.0:
            norm = slope.norm(dim=-1, keepdim=True)
            slope = slope * (how.clip / norm.clamp(min=how.clip))
        phi = phi - how.learning_rate * (how.late_factor if number >= 2 else 1.0) * slope
    return phi
