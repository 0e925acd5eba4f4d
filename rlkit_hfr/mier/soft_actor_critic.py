"""Soft actor-critic with two critics, their target networks and an entropy weight that adapts
(Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications"), conditioned on z.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit_hfr.mier.config import MIERConfig
from rlkit_hfr.pearl.learner import frozen, step
from rlkit_hfr.pearl.perceptrons import FlattenMlp, PolicyOutput, TanhGaussianPolicy
from rlkit_hfr.pearl.sac import Rows


class EntropyWeight(nn.Module):
    """log alpha of the maximum-entropy objective, 0 at the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.log_alpha = nn.Parameter(torch.zeros(()))


class Update(NamedTuple):
    """What an update saw. losses: by their names in the log; q1, q2: (R, 1)."""

    losses: dict[str, Tensor]
    q1: Tensor
    q2: Tensor
    policy_out: PolicyOutput


class SoftActorCritic:
    """The networks, their optimizers and one `update` of them all."""

    def __init__(
        self,
        policy: TanhGaussianPolicy,
        qf1: FlattenMlp,
        qf2: FlattenMlp,
        config: MIERConfig,
        autocast: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """autocast: around the networks' matrix products."""
        self.policy = policy
        self.qf1 = qf1
        self.qf2 = qf2
        self.target_qf1 = copy.deepcopy(qf1)
        self.target_qf2 = copy.deepcopy(qf2)
        for target in (self.target_qf1, self.target_qf2):
            target.requires_grad_(False)
        self.entropy = EntropyWeight()
        self.config = config
        self._autocast = autocast
        actions = policy.last_fc.out_features
        self.target_entropy = -(config.entropy_deficit or float(actions))
        adam = torch.optim.Adam
        self.policy_optimizer = adam(policy.parameters(), lr=config.policy_lr, fused=True)
        self.qf_optimizer = adam([*qf1.parameters(), *qf2.parameters()], lr=config.qf_lr, fused=True)
        self.entropy_optimizer = adam(self.entropy.parameters(), lr=config.entropy_lr)

    def networks(self) -> dict[str, nn.Module]:
        return dict(
            policy=self.policy,
            qf1=self.qf1,
            qf2=self.qf2,
            target_qf1=self.target_qf1,
            target_qf2=self.target_qf2,
            entropy=self.entropy,
        )

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return dict(policy=self.policy_optimizer, qf=self.qf_optimizer, entropy=self.entropy_optimizer)

    def update(self, rows: Rows) -> Update:
        """Entropy weight, critics, policy and target critics, in this order. z gets no gradient."""
        z = rows.task_z.detach()
        with self._autocast():
            out: PolicyOutput = self.policy(torch.cat([rows.obs, z], dim=-1), return_log_prob=True)
        assert out.log_pi is not None
        entropy_loss = -(self.entropy.log_alpha * (out.log_pi + self.target_entropy).detach()).mean()
        step(entropy_loss, self.entropy_optimizer)
        alpha = self.entropy.log_alpha.detach().exp()

        target = self.target(rows, z, alpha)
        with self._autocast():
            q1, q2 = self.qf1(rows.obs, rows.actions, z), self.qf2(rows.obs, rows.actions, z)
        qf_loss = F.mse_loss(q1, target) + F.mse_loss(q2, target)
        step(qf_loss, self.qf_optimizer)

        with frozen(self.qf1, self.qf2), self._autocast():
            value = torch.min(self.qf1(rows.obs, out.action, z), self.qf2(rows.obs, out.action, z))
        policy_loss = (alpha * out.log_pi - value).mean()
        step(policy_loss, self.policy_optimizer)
        self._move_targets()
        return Update({"QF Loss": qf_loss, "Policy Loss": policy_loss}, q1, q2, out)

    @torch.no_grad()
    def target(self, rows: Rows, z: Tensor, alpha: Tensor) -> Tensor:
        """r + gamma (1 - d) (min target Q(s', a', z) - alpha log pi(a'|s', z)), a' ~ pi: (R, 1)."""
        with self._autocast():
            out: PolicyOutput = self.policy(torch.cat([rows.next_obs, z], dim=-1), return_log_prob=True)
            assert out.log_pi is not None
            inputs = (rows.next_obs, out.action, z)
            value = torch.min(self.target_qf1(*inputs), self.target_qf2(*inputs)) - alpha * out.log_pi
        scaled = rows.rewards * self.config.reward_scale
        return scaled + (1.0 - rows.terminals) * self.config.discount * value

    @torch.no_grad()
    def _move_targets(self) -> None:
        for target, net in ((self.target_qf1, self.qf1), (self.target_qf2, self.qf2)):
            targets: list[Tensor] = list(target.parameters())
            weights: list[Tensor] = list(net.parameters())
            torch._foreach_lerp_(targets, weights, self.config.soft_target_tau)
