"""An agent whose belief about a task is the context vector of a model, adapted to what it has
seen.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rlkit_hfr.context_model import ContextModel, InnerSteps, adapt_context
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.pearl.agent import PEARLAgent
from rlkit_hfr.pearl.perceptrons import TanhGaussianPolicy


class TaskModel(ContextModel):
    """A `ContextModel` over rows of PEARL's context: from (s, a) it predicts the reward and,
    where the rows have it, the change of the observation, s' - s.
    """

    def __init__(self, layout: ContextLayout, latent_dim: int, hidden_size: int) -> None:
        changes = layout.obs_dim if layout.with_next_obs else 0
        super().__init__(layout.reward, changes + 1, latent_dim, hidden_size)
        self.layout = layout
        self.input_size = layout.width  # of a row, as hosts ask of a context encoder

    def split(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (..., D) as inputs (..., I) and targets (..., O), the reward last."""
        layout = self.layout
        reward = rows[..., layout.reward : layout.reward + 1]
        if layout.with_next_obs:
            reward = torch.cat([rows[..., layout.next_obs] - rows[..., layout.obs], reward], dim=-1)
        return rows[..., : layout.reward], reward


class MIERAgent(PEARLAgent):
    """A PEARL agent whose z is phi: phi_0 where PEARL's is of the prior, phi_T where it is of
    the posterior, without a variance. The model stands where PEARL has its context encoder.
    """

    context_encoder: TaskModel  # type: ignore[assignment]

    def __init__(self, model: TaskModel, policy: TanhGaussianPolicy, inner_steps: InnerSteps) -> None:
        """inner_steps: how `infer_posterior` adapts phi; may be replaced at any time."""
        super().__init__(model.latent_dim, model, policy, use_information_bottleneck=False)  # type: ignore[arg-type]
        self.inner_steps = inner_steps

    def clear_z(self, num_tasks: int = 1) -> None:
        """Back to phi_0 for `num_tasks` tasks."""
        self.z_means = self.context_encoder.phi.detach().repeat(num_tasks, 1)
        self.z_vars = torch.zeros_like(self.z_means)
        self.context = None
        self.sample_z()

    @torch.no_grad()
    def infer_posterior(self, context: Tensor, mask: Tensor | None = None) -> None:
        """Adapt phi to each task's context, from phi_0. context: (N, B, D); mask: (N, B),
        False where a row is padding. No gradient reaches the model from z.
        """
        self.z_means = adapt_context(
            self.context_encoder, *self.context_encoder.split(context), self.inner_steps, mask
        )
        self.z_vars = torch.zeros_like(self.z_means)
        self.sample_z()
