"""An update of soft actor-critic against a plain implementation, and targets that are known."""

from __future__ import annotations

import copy

import pytest
import torch
from tiny_runs import with_data
from torch.nn import functional as F

from rlkit_hfr.pearl.sac import Rows


def test_the_update_equals_a_plain_implementation(make_mier):
    """SAC with an automatic alpha, written next to its equations."""
    algorithm = with_data(make_mier(reward_scale=3.0, discount=0.9, soft_target_tau=0.25))
    learner = algorithm.actor_critic
    for net in learner.networks().values():
        for weight in net.parameters():
            weight.data += 0.1 * torch.randn_like(weight)
    z = torch.randn(48, 3)
    obs, actions, rewards, next_obs, terminals = (
        part.flatten(0, 1).float() for part in algorithm._batch([0, 2, 4])[:5]
    )
    terminals[::3] = 1.0
    before = {name: copy.deepcopy(net) for name, net in learner.networks().items()}
    torch.manual_seed(3)
    update = learner.update(Rows(obs, actions, rewards, next_obs, terminals, z))

    torch.manual_seed(3)
    policy, qf1, qf2 = (before[name] for name in ("policy", "qf1", "qf2"))
    now = policy(torch.cat([obs, z], dim=1), return_log_prob=True)
    log_alpha = before["entropy"].log_alpha.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([log_alpha], lr=3e-4)
    (-(log_alpha * (now.log_pi.detach() - 2.0)).mean()).backward()  # two dimensions of actions
    optimizer.step()
    alpha = log_alpha.detach().exp()
    later = policy(torch.cat([next_obs, z], dim=1), return_log_prob=True)
    values = [before[f"target_qf{i}"](next_obs, later.action, z) for i in (1, 2)]
    soft = torch.min(*values) - alpha * later.log_pi
    target = (3.0 * rewards + 0.9 * (1 - terminals) * soft).detach()
    expected = sum(F.mse_loss(qf(obs, actions, z), target) for qf in (qf1, qf2))
    torch.testing.assert_close(update.losses["QF Loss"], expected)
    torch.testing.assert_close(learner.entropy.log_alpha.detach(), log_alpha.detach())
    after = torch.min(learner.qf1(obs, now.action, z), learner.qf2(obs, now.action, z))
    torch.testing.assert_close(update.losses["Policy Loss"], (alpha * now.log_pi - after).mean())
    moved = 0.75 * before["target_qf1"].last_fc.bias + 0.25 * learner.qf1.last_fc.bias
    torch.testing.assert_close(learner.target_qf1.last_fc.bias, moved)


def _rows(terminals):
    """Two transitions that pay 7 and -1."""
    return Rows(
        torch.randn(2, 2),
        torch.randn(2, 2),
        torch.tensor([[7.0], [-1.0]]),
        torch.randn(2, 2),
        torch.tensor(terminals)[:, None],
        torch.randn(2, 3),
    )


def test_the_target_is_of_the_smaller_critic_and_ends_with_the_episode(make_mier):
    learner = make_mier(reward_scale=2.0, discount=0.5).actor_critic
    for target, value in ((learner.target_qf1, 3.0), (learner.target_qf2, 5.0)):
        target.last_fc.weight.data.zero_()
        target.last_fc.bias.data.fill_(value)
    rows = _rows([0.0, 1.0])
    found = learner.target(rows, rows.task_z, torch.tensor(0.0))  # no entropy
    assert found.tolist() == [[2.0 * 7.0 + 0.5 * 3.0], [2.0 * -1.0]]
    torch.manual_seed(0)
    with_entropy = learner.target(rows, rows.task_z, torch.tensor(4.0))
    torch.manual_seed(0)
    inputs = torch.cat([rows.next_obs, rows.task_z], dim=1)
    log_pi = learner.policy(inputs, return_log_prob=True).log_pi[0]
    torch.testing.assert_close(with_entropy[0], found[0] - 0.5 * 4.0 * log_pi)
    torch.testing.assert_close(with_entropy[1], found[1])


@pytest.mark.parametrize(("log_std", "rises"), [(-5.0, True), (0.0, False)])
def test_the_entropy_weight_rises_while_the_policy_is_too_certain(make_mier, log_std, rises):
    """An entropy of two actions below or above -2, the target."""
    learner = make_mier().actor_critic
    learner.policy.last_fc_log_std.weight.data.zero_()
    learner.policy.last_fc_log_std.bias.data.fill_(log_std)
    learner.update(_rows([0.0, 0.0]))
    assert (learner.entropy.log_alpha.item() > 0.0) == rises


def test_targets_are_copies_that_are_not_trained(make_mier):
    learner = make_mier().actor_critic
    for target, net in ((learner.target_qf1, learner.qf1), (learner.target_qf2, learner.qf2)):
        for ours, theirs in zip(target.parameters(), net.parameters(), strict=True):
            assert torch.equal(ours, theirs) and ours is not theirs
            assert theirs.requires_grad and not ours.requires_grad
