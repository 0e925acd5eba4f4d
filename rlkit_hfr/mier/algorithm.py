"""MIER's meta-training (MIER algorithm 1): a model that adapts by gradient steps on phi, and
soft actor-critic on (s, phi_T).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from rlkit_hfr.context_model import InnerSteps, adapt_context
from rlkit_hfr.mier.agent import MIERAgent, TaskModel
from rlkit_hfr.mier.config import MIERConfig
from rlkit_hfr.mier.soft_actor_critic import SoftActorCritic, Update
from rlkit_hfr.paths import ContextLayout, context_keys
from rlkit_hfr.pearl.learner import Learner, stacked, step
from rlkit_hfr.pearl.logger import LogRow, stats_ordered_dict
from rlkit_hfr.pearl.perceptrons import FlattenMlp, TanhGaussianPolicy
from rlkit_hfr.pearl.sac import Rows
from rlkit_hfr.pearl.upload import to_device
from rlkit_hfr.protocols import TaskEnv

_KEYS = ("observations", "actions", "rewards", "next_observations", "terminals", "sparse_rewards")
_ROWS_OF_THE_UNITS = 256  # of each task's first data, whose deviations become the model's units

Nets = tuple[MIERAgent, FlattenMlp, FlattenMlp]


def build_nets(
    obs_dim: int, action_dim: int, latent_dim: int, net_size: int, config: MIERConfig, model_size: int = 200
) -> Nets:
    """The agent and both critics at the paper's sizes: two layers of `net_size` (256), the
    model four of `model_size`.
    """
    layout = ContextLayout(obs_dim, action_dim, config.use_next_obs_in_context)
    policy = TanhGaussianPolicy([net_size] * 2, obs_dim + latent_dim, action_dim)
    how = InnerSteps(config.adapt_steps, config.adapt_lr, config.late_adapt_lr_factor, config.adapt_clip)
    agent = MIERAgent(TaskModel(layout, latent_dim, model_size), policy, how)
    width = obs_dim + action_dim + latent_dim
    return agent, *(FlattenMlp([net_size] * 2, width, 1) for _ in range(2))  # type: ignore[return-value]


class MIER(Learner):
    """MIER with the built-in PEARL's loop, buffers, sampler, evaluation and names.

    What is collected with phi_0 feeds the inner steps (the encoder buffer), everything the
    model's outer loss and the policy (the RL buffer).
    """

    agent: MIERAgent
    config: MIERConfig
    use_information_bottleneck = False
    loss_names = ("Model Loss", "QF Loss", "Policy Loss")

    def __init__(
        self,
        env: TaskEnv,
        train_tasks: Sequence[int],
        eval_tasks: Sequence[int],
        nets: Nets,
        config: MIERConfig,
        seed: int = 0,
        **options: Any,
    ) -> None:
        """options: as `MetaRLAlgorithm`."""
        agent, self.qf1, self.qf2 = nets
        super().__init__(env, agent, train_tasks, eval_tasks, config, seed, **options)
        self.actor_critic = SoftActorCritic(agent.policy, self.qf1, self.qf2, config, self._autocast)
        self.target_qf1 = self.actor_critic.target_qf1
        self.target_qf2 = self.actor_critic.target_qf2
        self.model.phi.requires_grad_(config.meta_learn_context)
        self.model_optimizer = torch.optim.Adam(
            [weight for weight in self.model.parameters() if weight.requires_grad],
            lr=config.model_lr,
            fused=True,
        )

    @property
    def model(self) -> TaskModel:
        return self.agent.context_encoder

    @property
    def reward_model(self) -> tuple[TaskModel, InnerSteps]:
        """The model and how it adapts, for ``attach(..., rewards="model")``. ValueError where
        it has learned the context's sparse rewards, and not those of the critic.
        """
        if self.sparse_rewards:
            raise ValueError(
                "MIER's model learns the rewards that the context sees, got sparse_rewards=True, and the"
                ' critic needs the dense ones; attach with rewards="learned", or without rewards'
            )
        return self.model, self.agent.inner_steps

    @property
    def log_alpha(self) -> Tensor:
        """Of the entropy's weight, under the name that hosts are asked for."""
        return self.actor_critic.entropy.log_alpha.detach()

    def _named_networks(self) -> dict[str, nn.Module]:
        return self.actor_critic.networks() | dict(model=self.model)

    def _named_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return self.actor_critic.optimizers() | dict(model=self.model_optimizer)

    def _learning_rates(self) -> dict[str, float]:
        config = self.config
        rates = dict(policy=config.policy_lr, qf=config.qf_lr)
        return rates | dict(entropy=config.entropy_lr, model=config.model_lr)

    def _do_training(self, indices: Sequence[int]) -> None:
        if self._n_train_steps_total == 0:
            self._take_units_of_first_data()
        for _ in range(self.config.num_model_steps - 1):
            context = self._shortened(self.sample_context(indices))
            self._train_model(self._context_rows(self._batch(indices)), context)
        super()._do_training(indices)

    def _take_step(self, indices: Sequence[int], context: Tensor) -> None:
        """One update of the model, and then of the actor-critic with phi_T of the new model."""
        *batch, context = to_device([*self._batch(indices), context], self.device)
        model_losses = self._train_model(self._context_rows(batch), context)
        self.agent.infer_posterior(context)
        obs, actions, rewards, next_obs, terminals = (x.flatten(0, 1) for x in batch[:5])
        task_z = self.agent.z.repeat_interleave(batch[0].shape[1], dim=0)
        update = self.actor_critic.update(Rows(obs, actions, rewards, next_obs, terminals, task_z))
        losses = model_losses | update.losses
        self._note_losses([losses[name] for name in self.loss_names])
        if self.eval_statistics is None:  # the figures of an epoch are those of its first update
            self.eval_statistics = self._update_statistics(losses, update)

    def _batch(self, indices: Sequence[int]) -> list[Tensor]:
        """Transitions of several tasks from the RL buffer, on the CPU: observations, actions,
        (dense) rewards, next observations, terminals, sparse rewards, each (tasks, B, dim).
        """
        return stacked([self.replay_buffer.random_batch(task, self.batch_size) for task in indices], _KEYS)

    def _context_rows(self, batch: Sequence[Tensor]) -> Tensor:
        """A batch as rows of the context, with the reward that the context sees: (tasks, B, D)."""
        columns = dict(zip(_KEYS, batch, strict=True))
        reward = "sparse_rewards" if self.sparse_rewards else "rewards"
        return torch.cat([columns[key] for key in context_keys(reward, self.use_next_obs_in_context)], dim=-1)

    def _take_units_of_first_data(self) -> None:
        """Standardise the model by what was collected before its first update."""
        buffer = self.replay_buffer
        first = [buffer.random_batch(task, _ROWS_OF_THE_UNITS) for task in self.train_tasks]
        rows = self._context_rows(to_device(stacked(first, _KEYS), self.device)).flatten(0, 1)
        self.model.standardise(*self.model.split(rows))

    def model_loss(self, adapt_rows: Tensor, eval_rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """J_p(theta, phi, D_adapt, D_eval) (MIER section 4.1) with its regularisers, and figures.

        adapt_rows: (tasks, B, D); eval_rows: (tasks, B', D). The appendix names a "regression
        weight on post-update contexts" without a formula; here it weighs |phi_T - phi_0|^2.
        """
        model, config = self.model, self.config
        phi = adapt_context(model, *model.split(adapt_rows), self.agent.inner_steps)
        nll = model.nll(*model.split(eval_rows), phi).mean()
        shift = (phi - model.phi).square().sum(dim=-1).mean()
        loss = nll + config.context_regression_weight * shift
        figures = {"Model Loss": nll, "Context Shift": shift.detach().sqrt()}
        return loss + config.log_var_weight * model.log_var_penalty(), figures

    def _train_model(self, eval_rows: Tensor, adapt_rows: Tensor) -> dict[str, Tensor]:
        """One step on `model_loss`; its figures."""
        eval_rows, adapt_rows = to_device([eval_rows, adapt_rows], self.device)
        loss, figures = self.model_loss(adapt_rows, eval_rows)
        if self.eval_statistics is None:
            with torch.no_grad():
                before = self.model.phi.expand(len(eval_rows), -1)
                figures["Model Loss before adaptation"] = self.model.nll(
                    *self.model.split(eval_rows), before
                ).mean()
        step(loss, self.model_optimizer)
        return figures

    def evaluate(self, epoch: int) -> None:
        how = self.agent.inner_steps
        self.agent.inner_steps = replace(how, steps=self.config.eval_adapt_steps)
        try:
            super().evaluate(epoch)
        finally:
            self.agent.inner_steps = how

    def _update_statistics(self, losses: dict[str, Tensor], update: Update) -> LogRow:
        """What the log says of an update."""
        stats: LogRow = {name: float(value.detach()) for name, value in losses.items()}
        stats["Entropy Weight"] = float(self.log_alpha.exp())
        stats["Z mean train"] = float(self.agent.z_means[0].abs().mean())
        out = update.policy_out
        assert out.log_pi is not None
        arrays = {"Q Predictions": update.q1, "Log Pis": out.log_pi}
        arrays |= {"Policy mu": out.mean, "Policy log std": out.log_std}
        for name, values in arrays.items():
            stats.update(stats_ordered_dict(name, values.detach().cpu()))
        return stats
