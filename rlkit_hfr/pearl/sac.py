"""PEARL's updates: soft actor-critic conditioned on z, and the encoder trained by the
critic (Rakelly et al. 2019, section 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.pearl.agent import PEARLAgent
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.pearl.learner import Learner, frozen, step
from rlkit_hfr.pearl.logger import LogRow, stats_ordered_dict
from rlkit_hfr.pearl.perceptrons import FlattenMlp, MlpEncoder, PolicyOutput, TanhGaussianPolicy
from rlkit_hfr.pearl.pixels import pixel_features
from rlkit_hfr.pearl.upload import to_device
from rlkit_hfr.protocols import TaskEnv

Nets = tuple[PEARLAgent, FlattenMlp, FlattenMlp, FlattenMlp, FlattenMlp]


def build_nets(
    obs_dim: int,
    action_dim: int,
    latent_dim: int,
    net_size: int,
    config: PEARLConfig,
    image_shape: tuple[int, int, int] | None = None,
    pixel_encoder: str = "flat",
    encoder_size: int = 200,
) -> Nets:
    """The agent, both critics, V and the target V, at PEARL's sizes: three layers of
    `net_size`, encoder three of `encoder_size`.

    image_shape: (channels, height, width) of observations that are images, which each
        network takes in by its own `pixel_encoder`.
    """
    hidden = [net_size] * 3
    layout = ContextLayout(obs_dim, action_dim, config.use_next_obs_in_context)

    def features(width: int, *more_images: slice) -> nn.Module | None:
        return (
            None
            if image_shape is None
            else pixel_features(width, [slice(0, obs_dim), *more_images], pixel_encoder, image_shape)
        )

    row_features = features(layout.width, *([layout.next_obs] if config.use_next_obs_in_context else []))
    encoder = MlpEncoder(
        [encoder_size] * 3,
        layout.width,
        latent_dim * (2 if config.use_information_bottleneck else 1),
        features=row_features,
    )
    policy = TanhGaussianPolicy(
        hidden, obs_dim + latent_dim, action_dim, features=features(obs_dim + latent_dim)
    )
    agent = PEARLAgent(latent_dim, encoder, policy, config.use_information_bottleneck)
    width = obs_dim + action_dim + latent_dim
    qf1, qf2 = (FlattenMlp(hidden, width, 1, features=features(width)) for _ in range(2))
    vf, target_vf = (
        FlattenMlp(hidden, obs_dim + latent_dim, 1, features=features(obs_dim + latent_dim)) for _ in range(2)
    )
    target_vf.load_state_dict(vf.state_dict())
    return agent, qf1, qf2, vf, target_vf


class Rows(NamedTuple):
    """A batch of transitions of several tasks, flattened to R rows. obs, next_obs: (R, S); actions: (R, A);
    rewards, terminals: (R, 1); task_z: (R, Z), the sample of z of each row's task."""

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    next_obs: Tensor
    terminals: Tensor
    task_z: Tensor


class PEARLSoftActorCritic(Learner):
    """PEARL with oyster's attribute names: agent, qf1, qf2, vf, target_vf, replay_buffer,
    enc_replay_buffer.
    """

    config: PEARLConfig
    loss_names = ("QF Loss", "VF Loss", "Policy Loss")

    def __init__(
        self,
        env: TaskEnv,
        train_tasks: Sequence[int],
        eval_tasks: Sequence[int],
        nets: Nets,
        config: PEARLConfig,
        seed: int = 0,
        **options: Any,
    ) -> None:
        agent, self.qf1, self.qf2, self.vf, self.target_vf = nets
        super().__init__(env, agent, train_tasks, eval_tasks, config, seed, **options)
        self.use_information_bottleneck = config.use_information_bottleneck
        self.target_vf.requires_grad_(False)
        adam = torch.optim.Adam
        self.policy_optimizer = adam(agent.policy.parameters(), lr=config.policy_lr, fused=True)
        self.qf_optimizer = adam(
            [*self.qf1.parameters(), *self.qf2.parameters()], lr=config.qf_lr, fused=True
        )
        self.vf_optimizer = adam(self.vf.parameters(), lr=config.vf_lr, fused=True)
        self.context_optimizer = adam(agent.context_encoder.parameters(), lr=config.context_lr, fused=True)

    def _named_networks(self) -> dict[str, nn.Module]:
        nets: dict[str, nn.Module] = dict(qf1=self.qf1, qf2=self.qf2, vf=self.vf, target_vf=self.target_vf)
        return nets | dict(policy=self.agent.policy, context_encoder=self.agent.context_encoder)

    def _named_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return dict(
            policy=self.policy_optimizer,
            qf=self.qf_optimizer,
            vf=self.vf_optimizer,
            context=self.context_optimizer,
        )

    def _learning_rates(self) -> dict[str, float]:
        config = self.config
        return dict(policy=config.policy_lr, qf=config.qf_lr, vf=config.vf_lr, context=config.context_lr)

    def _min_q(self, obs: Tensor, actions: Tensor, task_z: Tensor) -> Tensor:
        return torch.min(self.qf1(obs, actions, task_z), self.qf2(obs, actions, task_z))

    def _take_step(self, indices: Sequence[int], context: Tensor) -> None:
        """One update of critics and encoder, V, target V and policy, in this order.

        But for the first of an iteration, whose figures are logged, nothing waits for the
        device.
        """
        *batch, context = to_device([*self.sample_sac(indices), context], self.device)
        with self._autocast():
            policy_out, task_z = self.agent(batch[0], context)
        obs, actions, rewards, next_obs, terminals = (x.flatten(0, 1) for x in batch)
        rows = Rows(obs, actions, rewards, next_obs, terminals, task_z)

        qf_loss, q1_pred, q2_pred = self._critic_loss(rows)
        step(qf_loss + self._information_loss(), self.qf_optimizer, self.context_optimizer)

        min_q = self._value_of_the_policys_actions(rows, policy_out)
        log_pi = self.config.entropy_weight * policy_out.log_pi
        vf_loss, v_pred = self._value_loss(rows, min_q, log_pi)
        step(vf_loss, self.vf_optimizer)
        self._move_target()

        policy_loss = self._policy_loss(policy_out, min_q, log_pi)
        step(policy_loss, self.policy_optimizer)

        losses = dict(zip(self.loss_names, (qf_loss, vf_loss, policy_loss), strict=True))
        self._note_losses(list(losses.values()))
        if self.eval_statistics is None:  # the figures of an epoch are those of its first update
            predictions = {"Q Predictions": q1_pred, "V Predictions": v_pred}
            self.eval_statistics = self._update_statistics(losses, predictions, policy_out)

    def _critic_loss(self, rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
        """sum_i (Q_i(s, a, z) - (r + gamma (1 - d) V_target(s', z)))^2   (HFR eq. 3), and both Q. Gradients
        reach the encoder through z: it learns from the critics alone."""
        with torch.no_grad():
            with self._autocast():
                target_v = self.target_vf(rows.next_obs, rows.task_z)
            target = rows.rewards * self.reward_scale + (1.0 - rows.terminals) * self.discount * target_v
        with self._autocast():
            predictions = [qf(rows.obs, rows.actions, rows.task_z) for qf in (self.qf1, self.qf2)]
        q1_pred, q2_pred = predictions
        return F.mse_loss(q1_pred, target) + F.mse_loss(q2_pred, target), q1_pred, q2_pred

    def _information_loss(self) -> Tensor | float:
        """The information bottleneck: kl_lambda KL(q(z|c) || N(0, I))   (PEARL eq. 1)."""
        if not self.use_information_bottleneck:
            return 0.0
        return self.config.kl_lambda * self.agent.compute_kl_div()

    def _value_of_the_policys_actions(self, rows: Rows, policy_out: PolicyOutput) -> Tensor:
        """min Q(s, a, z) of the actions that the policy sampled; its gradient is the policy's alone."""
        with frozen(self.qf1, self.qf2), self._autocast():
            return self._min_q(rows.obs, policy_out.action, rows.task_z.detach())

    def _value_loss(self, rows: Rows, min_q: Tensor, log_pi: Tensor) -> tuple[Tensor, Tensor]:
        """(V(s, z) - (min Q(s, a, z) - alpha log pi(a|s, z)))^2, a from the policy   (SAC eq. 5), and V."""
        with self._autocast():
            v_pred = self.vf(rows.obs, rows.task_z.detach())
        return F.mse_loss(v_pred, (min_q - log_pi).detach()), v_pred

    def _policy_loss(self, policy_out: PolicyOutput, min_q: Tensor, log_pi: Tensor) -> Tensor:
        """alpha log pi(a|s, z) - min Q(s, a, z)   (HFR eq. 2), with weights that keep the Gaussian before the
        tanh near mean 0 and standard deviation 1 (oyster: torch/sac/sac.py)."""
        loss = (log_pi - min_q).mean()
        loss = loss + self.config.policy_mean_reg_weight * policy_out.mean.square().mean()
        return loss + self.config.policy_std_reg_weight * policy_out.log_std.square().mean()

    def _move_target(self) -> None:
        with torch.no_grad():
            targets: list[Tensor] = list(self.target_vf.parameters())
            values: list[Tensor] = list(self.vf.parameters())
            torch._foreach_lerp_(targets, values, self.config.soft_target_tau)

    def _update_statistics(
        self, losses: Mapping[str, Tensor], predictions: Mapping[str, Tensor], policy_out: PolicyOutput
    ) -> LogRow:
        """What the log says of an update."""
        stats: LogRow = {}
        if self.use_information_bottleneck:
            kl_div = float(self.agent.compute_kl_div().detach())
            stats["Z mean train"] = float(self.agent.z_means[0].detach().abs().mean())
            stats["Z variance train"] = float(self.agent.z_vars[0].detach().mean())
            stats["KL Divergence"], stats["KL Loss"] = kl_div, self.config.kl_lambda * kl_div
        stats.update({name: float(value.detach()) for name, value in losses.items()})
        assert policy_out.log_pi is not None
        arrays = {**predictions, "Log Pis": policy_out.log_pi}
        arrays |= {"Policy mu": policy_out.mean, "Policy log std": policy_out.log_std}
        for name, values in arrays.items():
            stats.update(stats_ordered_dict(name, values.detach().cpu()))
        return stats
