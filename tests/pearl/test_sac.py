"""The built-in PEARL against closed forms and a plain implementation written next to the paper."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rlkit_hfr.gaussians import product_of_gaussians, tanh_log_det
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.pearl.evaluation import adapt, critic_convergence
from rlkit_hfr.pearl.meta_algorithm import rounds_of_distinct
from rlkit_hfr.pearl.perceptrons import TanhGaussianPolicy
from rlkit_hfr.pearl.sac import build_nets
from rlkit_hfr.replay_buffer import SimpleReplayBuffer


def test_product_of_gaussians_closed_form_and_mask():
    mu, variance = torch.tensor([[0.0], [3.0], [99.0]]), torch.tensor([[1.0], [0.5], [0.01]])
    # precisions 1 and 2: variance 1/3, mean (0 * 1 + 3 * 2) / 3
    mean, var = product_of_gaussians(mu, variance, torch.tensor([True, True, False]))
    torch.testing.assert_close((mean, var), (torch.tensor([2.0]), torch.tensor([1 / 3])))
    batched = product_of_gaussians(mu[:2].expand(4, 2, 1), variance[:2].expand(4, 2, 1))[0]
    torch.testing.assert_close(batched, torch.full((4, 1), 2.0))


def test_kl_equals_torch_distributions(make_algorithm):
    agent = make_algorithm().agent
    agent.z_means, agent.z_vars = torch.randn(4, 3), torch.rand(4, 3) + 0.1
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(agent.z_means, agent.z_vars.sqrt()), normal(torch.zeros(4, 3), torch.ones(4, 3))
    ).sum()
    torch.testing.assert_close(agent.compute_kl_div(), expected)


def test_policy_log_probability_is_a_density():
    """log pi integrates to one over the actions of a one-dimensional policy."""
    torch.manual_seed(0)
    policy = TanhGaussianPolicy([8], 3, 1)
    out = policy(torch.randn(1, 3), deterministic=True)
    pre_tanh = torch.linspace(-12, 12, 20001).unsqueeze(1)
    log_normal = torch.distributions.Normal(out.mean, out.std).log_prob(pre_tanh)
    density, actions = (log_normal - tanh_log_det(pre_tanh)).exp(), torch.tanh(pre_tanh.double())
    assert torch.trapezoid(density.squeeze().double(), actions.squeeze()).item() == pytest.approx(
        1.0, abs=1e-3
    )
    x = torch.tensor([-20.0, 0.3, 20.0], dtype=torch.float64)
    torch.testing.assert_close(tanh_log_det(x)[1], torch.log(1 - torch.tanh(x[1]) ** 2))
    assert torch.isfinite(tanh_log_det(x)).all()


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


def test_buffer_grows_wraps_and_samples_what_it_holds(make_path):
    buffer = SimpleReplayBuffer(700, 2, 2, np.random.default_rng(0))
    assert len(buffer._rewards) < 700
    for marker in range(100):
        buffer.add_path(make_path(length=9, marker=marker, seed=marker))
    assert buffer.num_steps_can_sample() == 700
    held = np.unique(buffer._observations[:, 0])
    assert held.min() == 22  # 900 steps went in, the last 700 are paths 22 (in part) to 99
    assert set(buffer.random_batch(20000)["observations"][:, 0]) == set(held)
    path = make_path(
        length=5, terminals=np.array([[0], [0], [0], [0], [1]]), env_infos={"sparse_reward": np.arange(5)}
    )
    small = SimpleReplayBuffer(10, 2, 2, np.random.default_rng(0))
    small.add_path(path)
    for key, expected in (
        ("_rewards", path["rewards"]),
        ("_terminals", path["terminals"]),
        ("_sparse_rewards", np.arange(5)[:, None]),
    ):
        np.testing.assert_array_equal(getattr(small, key)[:5], expected)
    for key, name in (
        ("_observations", "observations"),
        ("_next_obs", "next_observations"),
        ("_actions", "actions"),
    ):
        np.testing.assert_array_equal(getattr(small, key)[:5], path[name])
    small.clear()
    with pytest.raises(ValueError, match="empty"):
        small.random_batch(1)
    small.add_path(make_path(length=25, marker=3))
    assert small.num_steps_can_sample() == 10


def test_visits_are_split_into_rounds_without_repeats():
    assert rounds_of_distinct([3, 1, 3, 2, 1, 3]) == [[3, 1, 2], [3, 1], [3]]
    assert rounds_of_distinct([]) == []


def test_side_by_side_collection_equals_one_at_a_time(make_algorithm):
    """With deterministic actions and starts, ten tasks side by side give what each gives
    alone, and in turns of three.
    """
    results = []
    for num_envs in (7, 3, 1):
        algorithm = make_algorithm("sparse-point-robot", num_envs=num_envs)
        algorithm.agent.z = torch.linspace(-1, 1, 21).view(7, 3)
        paths = algorithm.sampler.obtain_paths(range(7), deterministic=True)
        assert [len(path["rewards"]) for path in paths] == [10] * 7
        results.append(paths)
        np.testing.assert_array_equal([path["context"] for path in paths], algorithm.agent.z)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a["rewards"], b["rewards"], atol=1e-5)
            np.testing.assert_allclose(a["observations"], b["observations"], atol=1e-5)


def test_episodes_end_at_terminals_and_time_outs_are_no_terminals(make_algorithm):
    algorithm = make_algorithm("four-corners", max_path_length=12)
    corner = algorithm.env.tasks / math.sqrt(2)
    # straight to the first corner
    algorithm.agent.get_actions = lambda obs, deterministic: np.stack([corner[0]] * len(obs)) * 2
    algorithm.agent.clear_z(num_tasks=2)
    first, second = algorithm.sampler.obtain_paths([0, 2])
    assert len(first["rewards"]) < 12
    assert first["terminals"][-1]
    assert not first["timeouts"].any()
    assert not first["terminals"][:-1].any()
    assert len(second["rewards"]) == 12
    assert not second["terminals"].any()
    assert second["timeouts"][-1]
    np.testing.assert_array_equal(first["next_observations"][:-1], first["observations"][1:])


def test_evaluation_reports_each_trajectory_of_an_adaptation(make_algorithm):
    algorithm = make_algorithm(
        "sparse-point-robot", num_steps_per_eval=30, num_evals=2, num_exp_traj_eval=2, sparse_rewards=True
    )
    seen = []
    infer = algorithm.agent.infer_posterior
    algorithm.agent.infer_posterior = lambda context, mask: (
        seen.append((context.shape, int(mask.sum()))),
        infer(context, mask),
    )
    result, paths = adapt(algorithm.agent, algorithm.sampler, [1, 5], algorithm.config)
    assert result.returns.shape == result.successes.shape == (2, 3)
    assert [len(run) for run in paths] == [3] * 4
    assert seen == [((4, 20, 5), 80), ((4, 30, 5), 120)]  # after the second trajectory, and after the third
    expected = [
        [
            np.mean([runs[i]["env_infos"]["sparse_reward"].sum() for runs in paths[2 * t : 2 * t + 2]])
            for i in range(3)
        ]
        for t in range(2)
    ]
    np.testing.assert_allclose(result.returns, expected, rtol=1e-5)


def test_collection_fills_both_buffers_as_the_phases_say(make_algorithm):
    algorithm = make_algorithm(
        "point-robot", num_steps_prior=10, num_steps_posterior=20, num_extra_rl_steps_posterior=30
    )
    algorithm.collect_data([0, 1], 10)
    algorithm._visit([0])
    assert algorithm.replay_buffer.num_steps_can_sample(0) == 70
    assert algorithm.enc_replay_buffer.num_steps_can_sample(0) == 30  # cleared, prior, posterior
    assert algorithm.enc_replay_buffer.num_steps_can_sample(1) == 10
    assert algorithm._n_env_steps_total == 80


def test_config_rejects_what_cannot_work():
    wrong = dict(
        meta_batch=0,
        discount=1.0,
        num_steps_prior=-1,
        reward_scale=float("nan"),
        batch_size=1.5,
        sparse_rewards=3,
    )
    for bad in ({key: value} for key, value in wrong.items()):
        with pytest.raises(ValueError, match=next(iter(bad))):
            PEARLConfig(**bad)
    assert PEARLConfig(sparse_rewards=1).sparse_rewards is True


def test_the_entropy_weight_reaches_value_and_policy(make_algorithm):
    rows = []
    for weight in (1.0, 100.0):
        algorithm = make_algorithm(num_iterations=1, entropy_weight=weight)
        algorithm.on_epoch_end = rows.append
        algorithm.train()
    assert rows[1]["VF Loss"] > 10 * rows[0]["VF Loss"]
    assert abs(rows[1]["Policy Loss"]) > 10 * abs(rows[0]["Policy Loss"])
    assert rows[0]["Log Pis Mean"] == pytest.approx(rows[1]["Log Pis Mean"])  # logged without the weight


def test_convergence_of_a_critic_is_that_of_a_moving_target():
    """A target that moves by tau towards 1 + gamma times itself has the fixed point 1 / (1 - gamma)."""
    value = 0.0
    for updates in range(1, 200):
        value += 0.1 * (1.0 + 0.9 * value - value)
        if updates in (1, 50, 199):
            assert critic_convergence(updates, tau=0.1, discount=0.9) == pytest.approx(value / 10.0)
    assert critic_convergence(0, tau=0.1, discount=0.9) == 0.0


def test_sampled_actions_are_evaluated_beside_the_means(make_algorithm):
    rows = []
    for on in (False, True):
        algorithm = make_algorithm(
            "sparse-point-robot",
            num_iterations=1,
            sparse_rewards=True,
            eval_sampled=on,
            num_train_tasks_eval=3,
        )
        algorithm.on_epoch_end = rows.append
        seen = []
        obtain = algorithm.sampler.obtain_paths
        algorithm.sampler.obtain_paths = lambda tasks, deterministic=False, o=obtain, s=seen: (
            s.append((list(tasks), deterministic)) or o(tasks, deterministic)
        )
        algorithm.train()
        tests = [deterministic for tasks, deterministic in seen if set(tasks) == set(algorithm.eval_tasks)]
        assert set(tests) == ({True, False} if on else {True})
        trained = [
            tasks
            for tasks, deterministic in seen
            if deterministic and set(tasks) <= set(algorithm.train_tasks)
        ]
        assert {len(tasks) for tasks in trained} == {3}
    name = "test/trajectory 1 success (sampled actions)"
    assert np.isnan(rows[0][name])
    assert 0.0 <= rows[1][name] <= 1.0
    assert list(rows[0]) == list(rows[1])


def test_the_encoders_size_is_a_setting():
    config = PEARLConfig()
    agent = build_nets(3, 2, 4, 16, config, encoder_size=24)[0]
    assert [fc.out_features for fc in agent.context_encoder.fcs] == [24] * 3
    assert agent.policy.fcs[0].out_features == 16


def test_context_sizes_are_drawn_between_the_fewest_and_the_batch(make_algorithm):
    algorithm = make_algorithm("point-robot", embedding_batch_size=32, min_embedding_batch_size=2)
    rows = torch.arange(32.0).view(1, 32, 1)
    seen = [algorithm._shortened(rows) for _ in range(400)]
    sizes = np.array([part.shape[1] for part in seen])
    assert sizes.min() == 2 and sizes.max() == 32
    assert all(torch.equal(part, rows[:, : part.shape[1]]) for part in seen)
    # log-uniform: as many below the geometric mean, 8, as above it
    assert (sizes < 8).mean() == pytest.approx(0.5, abs=0.1)


def test_without_a_fewest_nothing_is_drawn_and_contexts_are_whole(make_algorithm):
    algorithm = make_algorithm("point-robot", embedding_batch_size=32)
    before = algorithm.rng.bit_generator.state
    assert algorithm._shortened(torch.zeros(1, 32, 1)).shape == (1, 32, 1)
    assert algorithm.rng.bit_generator.state == before


@pytest.mark.parametrize(
    ("option", "other"), [({"min_embedding_batch_size": 2}, {}), ({"lr_end_factor": 0.5}, {})]
)
def test_updates_heed_the_option(make_algorithm, option, other):
    """The second update: the first is made at the full learning rates."""
    weights = []
    for settings in (option, other):
        algorithm = make_algorithm("point-robot", embedding_batch_size=32, **settings)
        for task in algorithm.train_tasks:
            algorithm.collect_data([task], 20)
        for _ in range(2):
            torch.manual_seed(3)
            algorithm._do_training([0, 1])
            algorithm._n_train_steps_total += 1
        weights.append(torch.cat([weight.flatten() for weight in algorithm.qf1.parameters()]))
    assert not torch.equal(*weights)


def test_learning_rates_fall_linearly_to_their_share(make_algorithm):
    algorithm = make_algorithm(
        "point-robot",
        num_iterations=5,
        num_train_steps_per_itr=2,
        qf_lr=1e-3,
        policy_lr=2e-3,
        lr_end_factor=0.2,
    )
    for done, factor in ((0, 1.0), (5, 0.6), (10, 0.2), (30, 0.2)):
        algorithm._n_train_steps_total = done
        algorithm._anneal_learning_rates()
        assert algorithm.qf_optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * factor)
        assert algorithm.policy_optimizer.param_groups[0]["lr"] == pytest.approx(2e-3 * factor)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"embedding_batch_size": 8, "min_embedding_batch_size": 9},
            "at most embedding_batch_size = 8, got 9",
        ),
        ({"lr_end_factor": 0.0}, r"in \(0, 1\], got 0.0"),
        ({"lr_end_factor": 1.5}, r"in \(0, 1\], got 1.5"),
    ],
)
def test_what_is_out_of_range_is_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        PEARLConfig(**settings)
