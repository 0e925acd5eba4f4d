"""The latent-conditioned agent of PEARL: belief q(z|c) over the task, and the policy that
acts on a sample of it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from rlkit_hfr.gaussians import posterior
from rlkit_hfr.pearl.perceptrons import MlpEncoder, PolicyOutput, TanhGaussianPolicy


class PEARLAgent(nn.Module):
    """Holds the belief of N tasks at once: `z_means`, `z_vars` and the sample `z`, each (N, Z)."""

    z: Tensor
    z_means: Tensor
    z_vars: Tensor

    def __init__(
        self,
        latent_dim: int,
        context_encoder: MlpEncoder,
        policy: TanhGaussianPolicy,
        use_information_bottleneck: bool = True,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.context_encoder = context_encoder
        self.policy = policy
        self.use_ib = use_information_bottleneck
        for name in ("z", "z_means", "z_vars"):
            self.register_buffer(name, torch.zeros(1, latent_dim))
        self.context: Tensor | None = None
        self.clear_z()

    @property
    def networks(self) -> list[nn.Module]:
        return [self.context_encoder, self.policy]

    def clear_z(self, num_tasks: int = 1) -> None:
        """Reset the belief of `num_tasks` tasks to the prior N(0, I), sample z from it and
        forget the context.
        """
        self.z_means = self.z_means.new_zeros(num_tasks, self.latent_dim)
        self.z_vars = torch.full_like(self.z_means, 1.0 if self.use_ib else 0.0)
        self.context = None
        self.sample_z()

    def sample_z(self) -> None:
        """Draw a new z from the current belief; reparameterised, so that gradients reach the encoder."""
        self.z = (
            self.z_means + self.z_vars.sqrt() * torch.randn_like(self.z_means)
            if self.use_ib
            else self.z_means
        )

    def detach_z(self) -> None:
        self.z = self.z.detach()

    def infer_posterior(self, context: Tensor, mask: Tensor | None = None) -> None:
        """Set the belief to q(z|c) and sample z. context: (N, B, D); mask: (N, B), False
        where a row is padding.
        """
        self.z_means, self.z_vars = posterior(self.context_encoder(context), self.latent_dim, mask)
        self.sample_z()

    def compute_kl_div(self) -> Tensor:
        """KL(q(z|c) || N(0, I)), summed over tasks and dimensions."""
        return 0.5 * (self.z_vars + self.z_means.square() - 1.0 - self.z_vars.log()).sum()

    @torch.no_grad()
    def get_actions(self, obs: np.ndarray, deterministic: bool = False) -> np.ndarray:
        """Act for N tasks side by side. obs: (N, S), row i conditioned on z[i]. Returns (N, A) in [-1, 1]."""
        rows = torch.as_tensor(obs, dtype=torch.float32, device=self.z.device)
        out: PolicyOutput = self.policy(torch.cat([rows, self.z], dim=-1), deterministic=deterministic)
        return out.action.cpu().numpy()

    def get_action(
        self, obs: np.ndarray, deterministic: bool = False
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Act for one task: obs (S,) -> action (A,) and an empty info."""
        return self.get_actions(obs[None], deterministic)[0], {}

    def forward(self, obs: Tensor, context: Tensor) -> tuple[PolicyOutput, Tensor]:
        """Policy outputs for a batch of observations given each task's context, and z.

        obs: (N, B, S); context: (N, B', D). Returns outputs over (N * B) rows and z repeated to (N * B, Z).
        """
        self.infer_posterior(context)
        task_z = self.z.repeat_interleave(obs.shape[1], dim=0)
        rows = torch.cat([obs.flatten(0, 1), task_z.detach()], dim=-1)
        return self.policy(rows, return_log_prob=True), task_z
