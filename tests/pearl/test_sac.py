"""An update of the built-in PEARL against a plain implementation written next to the paper."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.pearl.sac import build_nets


@pytest.mark.parametrize(
    "settings",
    [{}, {"use_information_bottleneck": False}, {"use_next_obs_in_context": True, "kl_lambda": 1.0}],
)
def test_update_equals_a_plain_implementation(make_algorithm, settings):
    """Losses and the weights after one update equal a straightforward reading of PEARL
    algorithm 1 with SAC's losses.
    """
    algorithm = make_algorithm("point-robot", reward_scale=3.0, **settings)
    for task in algorithm.train_tasks:
        algorithm.collect_data([task], 20)
    for net in algorithm.networks:
        for weight in net.parameters():
            weight.data += 0.1 * torch.randn_like(weight)
    indices = [0, 2, 4]
    context, batch = algorithm.sample_context(indices), algorithm.sample_sac(indices)
    algorithm.sample_sac = lambda indices: batch
    plain = copy.deepcopy(
        dict(
            agent=algorithm.agent,
            qf1=algorithm.qf1,
            qf2=algorithm.qf2,
            vf=algorithm.vf,
            target=algorithm.target_vf,
        )
    )
    torch.manual_seed(7)
    algorithm._take_step(indices, context)
    torch.manual_seed(7)
    losses = _plain_update(plain, algorithm.config, context, batch)
    names = ("QF Loss", "VF Loss", "Policy Loss")
    np.testing.assert_allclose([algorithm.eval_statistics[name] for name in names], losses, rtol=1e-5)
    for name, attribute in (
        ("agent", "agent"),
        ("qf1", "qf1"),
        ("qf2", "qf2"),
        ("vf", "vf"),
        ("target", "target_vf"),
    ):
        for ours, theirs in zip(
            getattr(algorithm, attribute).parameters(), plain[name].parameters(), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def _plain_update(nets, config, context, batch):
    agent, qf1, qf2, vf, target = nets.values()
    obs, actions, rewards, next_obs, terminals = batch
    tasks, size = obs.shape[:2]
    dim = agent.latent_dim
    params = agent.context_encoder(context)
    if config.use_information_bottleneck:
        precision = 1 / F.softplus(params[..., dim:])
        variance = 1 / precision.sum(dim=1)
        mean = variance * (params[..., :dim] * precision).sum(dim=1)
        z = mean + variance.sqrt() * torch.randn(tasks, dim)
        kl = sum(
            0.5 * (v + m**2 - 1 - math.log(v))
            for m, v in zip(mean.flatten().tolist(), variance.flatten().tolist(), strict=True)
        )
        kl_tensor = 0.5 * (variance + mean**2 - 1 - variance.log()).sum()
        assert kl == pytest.approx(kl_tensor.item(), rel=1e-4)
    else:
        z, kl_tensor = params.mean(dim=1), torch.zeros(())
    zs = torch.cat([z[i].repeat(size, 1) for i in range(tasks)])
    o, a, r, o2, d = (x.reshape(tasks * size, -1) for x in batch)
    policy_in = torch.cat([o, zs.detach()], dim=1)
    h = agent.policy.hidden(policy_in)
    mu, log_std = agent.policy.last_fc(h), agent.policy.last_fc_log_std(h).clamp(-20, 2)
    u = mu + log_std.exp() * torch.randn(tasks * size, a.shape[1])
    new_a = torch.tanh(u)
    log_pi = (
        torch.distributions.Normal(mu, log_std.exp()).log_prob(u) - torch.log(1 - new_a**2 + 1e-12)
    ).sum(dim=1, keepdim=True)

    q_target = (config.reward_scale * r + (1 - d) * config.discount * target(torch.cat([o2, zs], 1))).detach()
    qf_loss = ((qf1(o, a, zs) - q_target) ** 2).mean() + ((qf2(o, a, zs) - q_target) ** 2).mean()
    q_params = [*qf1.parameters(), *qf2.parameters()]
    encoder_params = list(agent.context_encoder.parameters())
    grads = torch.autograd.grad(
        qf_loss + config.kl_lambda * kl_tensor, q_params + encoder_params, retain_graph=True
    )
    _adam(q_params + encoder_params, grads, config.qf_lr)

    zd = zs.detach()
    min_q = torch.min(qf1(o, new_a, zd), qf2(o, new_a, zd))
    vf_loss = ((vf(o, zd) - (min_q - log_pi).detach()) ** 2).mean()
    _adam(list(vf.parameters()), torch.autograd.grad(vf_loss, list(vf.parameters())), config.vf_lr)
    for slow, fast in zip(target.parameters(), vf.parameters(), strict=True):
        slow.data = (1 - config.soft_target_tau) * slow.data + config.soft_target_tau * fast.data

    policy_loss = (log_pi - min_q).mean() + 1e-3 * (mu**2).mean() + 1e-3 * (log_std**2).mean()
    policy_params = list(agent.policy.parameters())
    _adam(policy_params, torch.autograd.grad(policy_loss, policy_params), config.policy_lr)
    return [loss.item() for loss in (qf_loss, vf_loss, policy_loss)]


def _adam(params, grads, lr):
    """Adam's first step is lr * g / (|g| + eps)."""
    for p, g in zip(params, grads, strict=True):
        p.data = p.data - lr * g / (g.abs() + 1e-8)


def test_encoder_learns_from_the_critics_alone(make_algorithm):
    algorithm = make_algorithm("point-robot", kl_lambda=0.0)
    for task in algorithm.train_tasks:
        algorithm.collect_data([task], 20)
    before = [p.clone() for p in algorithm.agent.context_encoder.parameters()]
    for net in (algorithm.qf1, algorithm.qf2):  # critics that do not look at z
        net.fcs[0].weight.data[:, -3:] = 0.0
    algorithm._do_training([0, 1, 2])
    assert all(
        torch.equal(a, b) for a, b in zip(before, algorithm.agent.context_encoder.parameters(), strict=True)
    )
    algorithm._do_training([0, 1, 2])  # by now they do
    assert not all(
        torch.equal(a, b) for a, b in zip(before, algorithm.agent.context_encoder.parameters(), strict=True)
    )


def test_the_entropy_weight_reaches_value_and_policy(make_algorithm):
    rows = []
    for weight in (1.0, 100.0):
        algorithm = make_algorithm(num_iterations=1, entropy_weight=weight)
        algorithm.on_epoch_end = rows.append
        algorithm.train()
    assert rows[1]["VF Loss"] > 10 * rows[0]["VF Loss"]
    assert abs(rows[1]["Policy Loss"]) > 10 * abs(rows[0]["Policy Loss"])
    assert rows[0]["Log Pis Mean"] == pytest.approx(rows[1]["Log Pis Mean"])  # logged without the weight


def test_the_encoders_size_is_a_setting():
    config = PEARLConfig()
    agent = build_nets(3, 2, 4, 16, config, encoder_size=24)[0]
    assert [fc.out_features for fc in agent.context_encoder.fcs] == [24] * 3
    assert agent.policy.fcs[0].out_features == 16
