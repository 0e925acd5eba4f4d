"""`attach` on algorithms that it does not know: both families at every seam, and the ways
in which their descendants differ.
"""

from __future__ import annotations

import copy
import pickle
import random

import numpy as np
import pytest
import standin_families
import standins
import torch

from rlkit_hfr import RELABELERS, RelabelDecision, Relabeler, attach
from rlkit_hfr.relabelers import relabeler_options

EVERY = sorted(standins.EVERY)


@pytest.fixture(autouse=True)
def _fresh_log():
    standin_families.logger.__init__()


def _assert_close(actual, expected):
    np.testing.assert_allclose(actual.detach().numpy(), expected.detach().numpy(), rtol=1.3e-6, atol=1e-5)


class SendTo(Relabeler):
    """Sends every path to one task."""

    name = "send-to"

    def __init__(self, task):
        self.task = task

    def decide(self, paths, source_tasks, scorer, rng):
        unknown = np.zeros(len(scorer.candidate_tasks))
        sure = np.eye(len(unknown))[scorer.candidate_tasks.index(self.task)]
        return [RelabelDecision(self.task, sure, unknown, unknown) for _ in paths]


class NeverHome(Relabeler):
    """Sends every path to the task after its own."""

    name = "never-home"

    def decide(self, paths, source_tasks, scorer, rng):
        tasks, unknown = scorer.candidate_tasks, np.zeros(len(scorer.candidate_tasks))
        places = [(tasks.index(task) + 1) % len(tasks) for task in source_tasks]
        return [RelabelDecision(tasks[k], np.eye(len(tasks))[k], unknown, unknown) for k in places]


def _run(name, attach_with=None, **options):
    algorithm = standins.EVERY[name]()
    relabeling = None if attach_with is None else attach(algorithm, attach_with, seed=1, **options)
    algorithm.train()
    rows = [
        {k: v for k, v in row.items() if not k.startswith("relabel/")} for row in standin_families.logger.rows
    ]
    weights = [
        p.detach().numpy() for net in [algorithm.agent, *algorithm.critics()] for p in net.parameters()
    ]
    state = (torch.get_rng_state().numpy(), np.random.get_state()[1], random.random())  # noqa: NPY002
    return algorithm, relabeling, (algorithm.trace, rows, weights, state[:2])


@pytest.mark.parametrize("name", EVERY)
def test_fraction_zero_is_bit_identical(name):
    _, _, expected = _run(name)
    standin_families.logger.__init__()
    for relabeler in ("hfr", "hipi", *([] if name == "OneBuffer" else ["hipi-sampling"])):
        _, _, actual = _run(name, relabeler, relabel_fraction=0.0)
        np.testing.assert_equal(actual, expected)
        standin_families.logger.__init__()


def test_goal_relabelers_are_refused_without_goals():
    with pytest.raises(ValueError, match="goal_distances"):
        attach(standin_families.OysterLike(), "final-state")


@pytest.mark.parametrize("relabeler", [name for name, cls in RELABELERS.items() if not cls.needs_goals])
@pytest.mark.parametrize("name", EVERY)
def test_every_relabeler_trains_on_every_host(name, relabeler):
    if relabeler.endswith("-sampling") and name == "OneBuffer":
        with pytest.raises(ValueError, match="one buffer in both roles.*needs two"):
            attach(standins.EVERY[name](), relabeler)
        return
    options = {"temperature": 2.0} if "temperature" in relabeler_options(RELABELERS[relabeler]) else {}
    _run(name, relabeler, relabel_fraction=1.0, **options)
    rows = standin_families.logger.rows
    assert len(rows) == 3
    assert len({tuple(row) for row in rows}) == 1
    key = "sampled transitions" if relabeler.endswith("-sampling") else "paths"
    assert rows[-1][f"relabel/{key} relabeled"] > 0
    assert "Eval" in rows[0]
    if relabeler not in ("none", "random"):
        assert np.isfinite(rows[-1]["relabel/utility Mean"])


@pytest.mark.parametrize("name", EVERY)
def test_scoring_leaves_no_trace(name):
    algorithm = standins.EVERY[name]()
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    relabeling = attach(algorithm, "hfr", relabel_fraction=1.0, seed=0)
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    path = algorithm.rollout(algorithm.task_ids[0])

    def state():
        agent = algorithm.agent
        belief = {key: value.detach().numpy() for key, value in vars(agent).items() if torch.is_tensor(value)}
        modes = [module.training for net in [agent, *algorithm.critics()] for module in net.modules()]
        numpy_state = np.random.get_state()[1:3]  # noqa: NPY002
        return copy.deepcopy((torch.get_rng_state().numpy(), numpy_state, random.getstate(), belief, modes))

    before = state()
    relabeling._router.routes("rl", algorithm.task_ids[0], [path])
    np.testing.assert_equal(state(), before)
    assert relabeling.statistics["relabel/paths relabeled"] > 0


def _is_task(env, task, rows):
    """Whether context rows (B, 5) have the rewards of `task`, given where the point robot goes from there."""
    after = (rows[:, :2] + 0.1 * np.clip(rows[:, 2:4], -1, 1)).astype(np.float32)
    rewards, _, *sparse = env.compute_rewards({"env_infos": {"achieved": after}}, [task])
    return np.isclose(rows[:, 4], (sparse[0] if sparse else rewards)[0], atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_one_task_gets_originals_and_many_get_relabeled_data(name):
    algorithm = standins.EVERY[name]()
    target, source = algorithm.task_ids[1], algorithm.task_ids[0]
    attach(algorithm, SendTo(target), relabel_fraction=1.0)
    algorithm.embedding_batch_size = 200
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    algorithm.update()
    algorithm.trace.clear()
    algorithm.visit(source)
    # Collection read what was collected for the source, with its rewards.
    seen = np.concatenate(algorithm.trace)
    own = np.concatenate([path["observations"] for path in algorithm.collected[source]])
    for rows in seen:
        assert _is_task(algorithm.env, source, rows).all()
        assert all((np.abs(own - row[:2]).sum(axis=1) < 1e-6).any() for row in rows)
    # Training reads the source's paths under the target, with the target's rewards.
    context, _ = algorithm.training_batch([target])
    rows = context[0].numpy()
    assert _is_task(algorithm.env, target, rows).all()
    moved = [any(np.abs(own - row[:2]).sum(axis=1) < 1e-6) for row in rows]
    assert np.mean(moved) > 0.5
    # A request for one task still reads originals alone.
    rows = algorithm.collection_context(target)[0].numpy()
    theirs = np.concatenate([path["observations"] for path in algorithm.collected[target]])
    assert all((np.abs(theirs - row[:2]).sum(axis=1) < 1e-6).any() for row in rows)


@pytest.mark.parametrize("name", EVERY)
def test_a_relabeler_that_never_stays_empties_no_buffer(name):
    algorithm = standins.EVERY[name]()
    attach(algorithm, NeverHome(), relabel_fraction=1.0)
    algorithm.train(30)
    assert all(len(algorithm.training_batch([task])[1][0]["rewards"]) == 8 for task in algorithm.task_ids)
    assert np.isfinite([loss for loss in algorithm.trace if isinstance(loss, float)]).all()


@pytest.mark.parametrize("name", EVERY)
def test_both_buffers_agree_and_the_totals_add_up(name):
    algorithm = standins.EVERY[name]()
    if name == "OneBuffer":
        pytest.skip("one object in both roles has one total")
    relabeling = attach(algorithm, "random", relabel_fraction=0.5, seed=0)
    seen = []
    routes = relabeling._router.routes

    def watched(role, task, paths):
        out = routes(role, task, paths)
        seen.extend((role, id(path), route) for path, route in zip(paths, out))
        return out

    relabeling._router.routes = watched
    before = []
    rollout = algorithm.rollout

    def remembered(task):
        path = rollout(task)
        before.append((path, copy.deepcopy(path)))
        return path

    algorithm.rollout = remembered
    algorithm.train(3)
    by_path = {}
    for role, key, route in seen:
        by_path.setdefault(key, {}).setdefault(role, []).append(route)
    for roles in by_path.values():
        assert all(len(routes) == 1 for routes in roles.values())
        assert len({id(route) for routes in roles.values() for route in routes}) == 1
    in_rl = sum(len(route.path["rewards"]) for role, _, route in seen if role == "rl")
    assert (
        sum(buffer.num_steps_can_sample() for buffer in algorithm.replay_buffer.task_buffers.values())
        == in_rl
    )
    for path, copied in before:  # no path was edited
        np.testing.assert_equal(path, copied)


@pytest.mark.parametrize("name", EVERY)
def test_detach_gives_the_objects_back(name):
    algorithm = standins.EVERY[name]()
    before = dict(vars(algorithm))
    inner = {
        role: (type(b := getattr(algorithm, role)), dict(vars(b)))
        for role in ("replay_buffer", "enc_replay_buffer")
    }
    relabeling = attach(algorithm, "hfr")
    assert vars(algorithm) != before
    relabeling.detach()
    assert vars(algorithm) == before
    for role, (cls, attributes) in inner.items():
        assert type(getattr(algorithm, role)) is cls
        assert vars(getattr(algorithm, role)) == attributes


@pytest.mark.parametrize("name", ["OysterLike", "RlkitLike"])
def test_whole_algorithms_pickle_and_copy_without_the_relabeling(name):
    algorithm = standins.EVERY[name]()
    attach(algorithm, "hfr", relabel_fraction=1.0)
    algorithm.train(2)
    algorithm.agent.clear_z()  # tensors with a graph can't be copied, attached or not
    for twin in (pickle.loads(pickle.dumps(algorithm)), copy.deepcopy(algorithm)):
        assert type(twin.enc_replay_buffer) is type(standins.EVERY[name]().enc_replay_buffer)
        assert twin.enc_replay_buffer.task_buffers.keys() == algorithm.enc_replay_buffer.task_buffers.keys()
        twin.train(1)  # it goes on by itself
    algorithm.train(1)  # and so does the one that relabels


@pytest.mark.parametrize("name", EVERY)
def test_hosts_keep_their_own_data_as_without_relabeling(name):
    """Every row of the host's encoder buffer was collected for its task, after visits in whatever way."""
    algorithm = standins.EVERY[name]()
    attach(algorithm, NeverHome(), relabel_fraction=0.7, seed=0)
    algorithm.train(3)
    for task, buffer in algorithm.enc_replay_buffer.task_buffers.items():
        own = np.concatenate([path["next_observations"] for path in algorithm.collected[task]])
        held = buffer._rows["o2"][: buffer._size]
        assert all((np.abs(own - row).sum(axis=1) < 1e-9).any() for row in held)
        paths = algorithm.collected[task]
        if buffer._size and name not in ("OneSidedAdds", "OneBuffer"):
            last = [p for p in paths if (np.abs(held - p["next_observations"][0]).sum(axis=1) < 1e-9).any()]
            assert sum(len(p["rewards"]) for p in last) == buffer._size


def test_detach_puts_back_what_stood_on_the_object_before():
    algorithm = standin_families.OysterLike()

    def own(indices):
        return standin_families.OysterLike.sample_context(algorithm, indices)

    algorithm.sample_context = own
    attach(algorithm, "hfr").detach()
    assert algorithm.sample_context is own


class DrawingEvaluate(standin_families.OysterLike):
    def evaluate(self, epoch):
        super().evaluate(epoch)
        self.enc_replay_buffer.random_batch(self.task_ids[0], 3)


def test_an_evaluate_that_draws_batches_is_wrapped_once():
    algorithm = DrawingEvaluate()
    relabeling = attach(algorithm, "hfr", relabel_fraction=1.0)
    algorithm.train()
    assert "relabel/paths seen" in standin_families.logger.rows[-1]
    relabeling.detach()
    assert "evaluate" not in vars(algorithm)


def test_a_refusal_leaves_nothing_half_attached():
    algorithm = standin_families.OysterLike()
    algorithm.replay_buffer = type("NoAdds", (), {"task_buffers": algorithm.replay_buffer.task_buffers})()
    with pytest.raises(ValueError, match="no multi-task replay buffer"):
        attach(algorithm, "hfr")
    assert type(algorithm.enc_replay_buffer) is standin_families.Buffer
    assert "sample_context" not in vars(algorithm)


class TaskByTask(standin_families.OysterLike):
    def training_batch(self, tasks):
        context = torch.cat([self.sample_context(task) for task in tasks])
        return context, [self.replay_buffer.random_batch(task, 8) for task in tasks]


def test_a_host_whose_training_cannot_be_told_from_collection_is_warned_of():
    algorithm = TaskByTask()
    relabeling = attach(algorithm, "hfr", relabel_fraction=1.0)
    with pytest.warns(UserWarning, match="asked for no context of several tasks"):
        algorithm.train(3)
    assert relabeling._router.iteration == 2  # log Z is renewed all the same: updates are seen on the weights
    assert len(relabeling._router.ledger._pending) < 10


def test_attaching_to_a_run_that_has_data_is_said():
    algorithm = standin_families.OysterLike()
    algorithm.train(1)
    with pytest.warns(UserWarning, match="hold data already"):
        attach(algorithm, "hfr")


def test_buffers_that_the_host_replaces_are_followed():
    algorithm = standin_families.OysterLike()
    attach(algorithm, "random", relabel_fraction=1.0, seed=0)
    algorithm.train(2)
    algorithm.agent.clear_z()
    algorithm.enc_replay_buffer.task_buffers = standin_families.Buffer(algorithm.task_ids).task_buffers
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    algorithm.train(1)
    algorithm.agent.clear_z()
    # another object: it serves un-relabeled, and nothing breaks
    algorithm.enc_replay_buffer = standin_families.Buffer(algorithm.task_ids)
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    algorithm.train(1)


def test_a_generator_of_paths_loses_none():
    algorithm = standin_families.OysterLike()
    attach(algorithm, "random", relabel_fraction=0.0)
    algorithm.replay_buffer.add_paths(0, (algorithm.rollout(0) for _ in range(2)))
    algorithm.enc_replay_buffer.add_paths(task=0, paths=[algorithm.rollout(0)])
    assert algorithm.replay_buffer.num_steps_can_sample(0) == 12
    assert algorithm.enc_replay_buffer.num_steps_can_sample(0) == 6


@pytest.mark.skipif(not hasattr(torch.cuda, "_lazy_seed_tracker"), reason="torch keeps no such list here")
def test_attach_leaves_no_seed_behind_for_other_devices():
    torch.manual_seed(123)
    attach(standin_families.OysterLike(), "hfr")
    pending = [
        entry[0].__closure__[0].cell_contents
        for entry in [torch.cuda._lazy_seed_tracker.manual_seed_all_cb]
        if entry
    ]
    assert all(seed == 0 for seed in pending)  # OysterLike itself seeds with 0


def test_units_are_those_that_train():
    """rlkit's algorithm has a reward scale of 1 while its trainer uses another."""
    algorithm = standin_families.RlkitLike()
    assert attach(algorithm, "hfr").scorer.networks.reward_scale == 3.0


def test_networks_that_are_swapped_after_attach_are_the_ones_that_score():
    algorithm = standin_families.OysterLike()
    networks = attach(algorithm, "hfr", precision="fp32").scorer.networks
    obs, action, z = torch.randn(4, 2), torch.randn(4, 2), torch.randn(4, 3)
    algorithm.qf1 = standin_families.Critic()
    _assert_close(networks.critics(obs, action, z)[0], algorithm.qf1(obs, action, z))


@pytest.mark.parametrize("name", EVERY)
def test_scoring_networks_compute_what_the_host_computes(name):
    algorithm = standins.EVERY[name]()
    networks = attach(algorithm, "hfr", precision="fp32").scorer.networks
    obs, action, z = torch.randn(4, 2), torch.rand(4, 2), torch.randn(4, 3)
    with networks.isolated():
        for i, ours in enumerate(networks.critics(obs, action, z)):
            _assert_close(ours, algorithm.q(i, obs, action, z))
        context = torch.randn(3, 6, 5)
        assert networks.in_order == (name == "Recurrent")
        assert networks.samples_alone == (name in ("SeveralEncoders", "DirichletBelief"))
        if networks.samples_alone:
            return
        means, variances = networks.posterior(context, torch.ones(3, 6, dtype=torch.bool))
        algorithm.agent.infer_posterior(context)
        if name != "RlkitLike":
            _assert_close(means, algorithm.agent.z_means)
        if name not in ("RlkitLike", "Deterministic"):
            _assert_close(variances, algorithm.agent.z_vars)
        masked, _ = networks.posterior(
            context, torch.tensor([[True] * 6, [True] * 4 + [False] * 2, [True] * 6])
        )
        shorter, _ = networks.posterior(context[1:2, :4], torch.ones(1, 4, dtype=torch.bool))
        _assert_close(masked[1], shorter[0])


def test_a_belief_that_is_no_gaussian_is_served_by_samples_of_its_z():
    algorithm = standins.SeveralEncoders()
    networks = attach(algorithm, "hfr").scorer.networks
    context, everything = torch.randn(1, 6, 5), torch.ones(4000, 6, dtype=torch.bool)
    with networks.isolated():
        z, variances = networks.posterior(context.expand(4000, -1, -1), everything)
        again, _ = networks.posterior(context.expand(4000, -1, -1), everything)
        algorithm.agent.infer_posterior(context)
        shares = algorithm.agent.logits.softmax(dim=-1)[0]
        number = algorithm.agent.number.item()
    assert set(z[:, :2].sum(dim=1).tolist()) == {1.0}  # one category each
    np.testing.assert_allclose(z[:, :2].mean(dim=0).numpy(), shares.detach().numpy(), atol=0.04, rtol=0.0)
    assert z[:, 2].mean().item() == pytest.approx(number, abs=0.08)
    assert not variances.any()
    assert not torch.equal(z, again)


def test_several_latents_are_several_samples_where_there_is_no_gaussian():
    """With a critic that pays z's category, one sample gives 0 or 1, and the mean of many its share."""
    algorithm = standins.SeveralEncoders()
    for qf in (algorithm.qf1, algorithm.qf2):
        qf.forward = lambda obs, action, z: z[:, :1]
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    utilities = []
    for number in (1, 64):
        relabeling = attach(algorithm, "hfr", latent="sample", num_latents=number, seed=0, normaliser="off")
        for task in algorithm.task_ids:
            algorithm.add(task, [algorithm.rollout(task)], True)
        scorer = relabeling.scorer
        with scorer.networks.isolated():
            utilities.append(relabeling.relabeler.utilities([algorithm.rollout(0)], scorer))
            several = scorer.task_latents(8)
        assert len({tuple(z.flatten().tolist()) for z in several}) > 1
        relabeling.detach()
    assert set(utilities[0].flatten().tolist()) <= {0.0, 1.0}
    assert ((utilities[1] > 0.05) & (utilities[1] < 0.95)).any()


def test_a_recurrent_encoder_reads_whole_trajectories_in_the_order_of_their_steps():
    algorithm = standins.Recurrent()
    relabeling = attach(algorithm, "hfr", normaliser="contexts", seed=0)
    algorithm.train()
    scorer, read = relabeling.scorer, []
    stored = {
        np.ascontiguousarray(rows).tobytes(): len(rows)
        for task in algorithm.task_ids
        for rows in (*scorer.memory.all_trajectories(task), *scorer.memory._visits[task].rows)
    }
    infer = algorithm.agent.infer_posterior

    def reading(context):
        read.extend(context.numpy().copy())
        infer(context)

    algorithm.agent.infer_posterior = reading
    with scorer.networks.isolated():
        scorer.task_latents()
        scorer.sampled_posteriors("contexts", 5)
    assert len(read) == 4 + 4 * 5
    for context in read:  # of 6 steps each, and a batch has room for one
        assert np.ascontiguousarray(context).tobytes() in stored


def test_soft_value_without_a_value_network():
    """min target Q - alpha log pi, on average over many samples, against torch's distributions."""
    algorithm = standins.NoValueFunction()
    networks = attach(algorithm, "hfr-bellman").scorer.networks
    obs, z = torch.randn(1, 2).expand(200_000, 2), torch.randn(1, 3).expand(200_000, 3)
    with networks.isolated():
        ours = networks.value(obs, z, torch.randn).mean()
        _, mean, log_std, _ = algorithm.agent.policy(torch.cat([obs[:1], z[:1]], dim=1), deterministic=True)
        normal = torch.distributions.Independent(torch.distributions.Normal(mean[0], log_std[0].exp()), 1)
        policy = torch.distributions.TransformedDistribution(
            normal, [torch.distributions.TanhTransform(cache_size=1)]
        )
        action = policy.sample((200_000,))
        q = torch.min(algorithm.target_qf1(obs, action, z), algorithm.target_qf2(obs, action, z))
        expected = (q.squeeze(1) - 0.2 * policy.log_prob(action)).mean()
    assert ours.item() == pytest.approx(expected.item(), abs=0.01)
