"""Every relabeler against loops written from the papers' pseudo-code, and in worlds whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rlkit_hfr import RELABELERS, attach
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.relabelers import make_relabeler, relabeler_options
from rlkit_hfr.relabelers.relabeler import sample_distinct, sample_rows
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import Reservoir, TaskMemory
from rlkit_hfr.utility import TransitionBatch


@pytest.fixture
def world(make_algorithm, monkeypatch):
    """A PEARL with random weights and data for every task, whose scorer draws no noise: z
    and actions are the means.
    """
    monkeypatch.setattr(Scorer, "noise", lambda self, *shape: torch.zeros(shape))

    def build(relabeler, env_name="four-corners", **options):
        algorithm = make_algorithm(
            env_name,
            num_train_steps_per_itr=1,
            sparse_rewards=env_name.startswith("sparse"),
            reward_scale=2.0,
        )
        relabeling = attach(algorithm, relabeler, seed=0, relabel_fraction=0.0, precision="fp32", **options)
        torch.manual_seed(1)
        for net in algorithm.networks:
            for weight in net.parameters():
                weight.data = torch.randn_like(weight) * 0.4
        for task in algorithm.train_tasks:
            algorithm.collect_data([task], 40)
        scorer = relabeling.scorer
        algorithm.agent.clear_z(num_tasks=4)
        paths = algorithm.sampler.obtain_paths(algorithm.train_tasks[:4])
        return algorithm, relabeling.relabeler, scorer, paths

    return build


class Reference:
    """HFR's and HIPI's formulas, one transition, task and sample at a time, straight from
    the network modules.
    """

    def __init__(self, algorithm, scorer):
        self.alg, self.agent, self.memory = algorithm, algorithm.agent, scorer.memory
        self.tasks = algorithm.train_tasks

    def relabel(self, path, task):
        rewards = self.alg.env.compute_rewards(path, [task])
        chosen = rewards.sparse_rewards if self.alg.sparse_rewards else rewards.rewards
        return [(s, a, r) for s, a, r in zip(path["observations"], path["actions"], chosen[0], strict=True)]

    def embed(self, transitions):
        dim = self.agent.latent_dim
        precision, weighted = torch.zeros(dim), torch.zeros(dim)
        for s, a, r in transitions:
            out = self.agent.context_encoder(torch.tensor(np.concatenate([s, a, [r]]), dtype=torch.float32))
            for i in range(dim):
                variance = max(math.log1p(math.exp(out[dim + i].item())), 1e-7)
                precision[i] += 1.0 / variance
                weighted[i] += out[i] / variance
        return weighted / precision

    def stored(self, task):
        return [[(row[:2], row[2:4], row[4]) for row in rows] for rows in self.memory.all_trajectories(task)]

    def q(self, s, a, z):
        return torch.min(self.alg.qf1(s, a, z), self.alg.qf2(s, a, z)).item()

    def hfr(self, transitions, task):
        z = self.embed(transitions)
        total, states = 0.0, self.memory._initial_obs[task].items
        for state in states:
            s = torch.tensor(state, dtype=torch.float32)
            action = torch.tanh(self.agent.policy(torch.cat([s, z]), deterministic=True).mean)
            total += self.q(s, action, z)
        return total / len(states)

    def bellman(self, transitions, task, batch):
        z, error = self.embed(transitions), 0.0
        k = self.tasks.index(task)
        for i in range(batch.obs.shape[1]):
            s, a, r, s2, d = (x[k, i] for x in batch)
            target = r * 2.0 + (1 - d) * self.alg.discount * self.alg.target_vf(s2, z)
            error += (
                (self.alg.qf1(s, a, z) - target).item() ** 2 + (self.alg.qf2(s, a, z) - target).item() ** 2
            ) / 2
        return -error / batch.obs.shape[1]

    def probs(self, path, utility, temperature=1.0, partition=True):
        scores = []
        for task in self.tasks:
            log_z = 0.0
            if partition:
                values = [utility(t, task) for t in self.stored(task)]
                top = max(values)
                mean_exp = sum(math.exp((v - top) / temperature) for v in values) / len(values)
                log_z = top + temperature * math.log(mean_exp)
            scores.append((utility(self.relabel(path, task), task) - log_z) / temperature)
        weights = [math.exp(s - max(scores)) for s in scores]
        return np.array(weights) / sum(weights)


def _everything_stored(scorer):
    """How many trajectories and initial states each task has: asking for exactly these
    makes draws without replacement complete.
    """
    return len(scorer.memory.all_trajectories(0)), len(scorer.memory._initial_obs[0].items)


@pytest.mark.parametrize("env_name", ["four-corners", "point-robot", "sparse-point-robot"])
@pytest.mark.parametrize("temperature", [3.0, 9.0])
def test_hfr_equals_algorithm_1(world, env_name, temperature):
    algorithm, relabeler, scorer, paths = world(
        "hfr",
        env_name,
        temperature=temperature,
        num_initial_states=4,
        num_partition_samples=4,
        normaliser="trajectories",
    )
    assert _everything_stored(scorer) == (4, 4)
    reference = Reference(algorithm, scorer)
    with torch.no_grad():
        expected = np.stack([reference.probs(path, reference.hfr, temperature) for path in paths])
        wrong = [
            np.stack([reference.probs(path, u, t, p) for path in paths])
            for u, t, p in (
                (reference.hfr, temperature, False),
                (reference.hfr, temperature / 3, True),
                (lambda tau, task: 0.0, temperature, True),
            )
        ]
    decisions = relabeler.decide(paths, [0] * len(paths), scorer, np.random.default_rng(0))
    actual = np.stack([d.probs for d in decisions])
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    for other in wrong:  # no log Z, another temperature, no utility: each would be noticed
        assert np.abs(actual - other).max() > 1e-3


def test_hfr_bellman_equals_algorithm_2(world):
    algorithm, relabeler, scorer, paths = world(
        "hfr-bellman", num_transitions=6, num_partition_samples=4, temperature=20.0, normaliser="trajectories"
    )
    reference = Reference(algorithm, scorer)
    decisions = relabeler.decide(paths, [0] * len(paths), scorer, np.random.default_rng(0))
    batch = TransitionBatch(*scorer.once("transitions", lambda: pytest.fail("the batch must have been kept")))
    with torch.no_grad():
        expected = np.stack(
            [
                reference.probs(path, lambda tau, task: reference.bellman(tau, task, batch), 20.0)
                for path in paths
            ]
        )
        plain = np.stack([reference.probs(path, reference.hfr, 20.0) for path in paths])
    actual = np.stack([d.probs for d in decisions])
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    assert np.abs(actual - plain).max() > 1e-3


@pytest.mark.parametrize("normaliser", ["path", "off"])
def test_hipi_equals_equation_8(world, normaliser):
    algorithm, relabeler, scorer, paths = world("hipi", temperature=2.0, normaliser=normaliser)
    reference = Reference(algorithm, scorer)
    decisions = relabeler.decide(paths, [0] * len(paths), scorer, np.random.default_rng(0))
    (z,) = scorer.once("task_latents", lambda: pytest.fail("the latents must have been kept"))
    for path, decision in zip(paths, decisions, strict=True):
        scores = np.zeros((len(path["rewards"]), len(algorithm.train_tasks)))
        with torch.no_grad():
            for t in range(len(scores)):
                for k in range(scores.shape[1]):
                    scores[t, k] = reference.q(
                        torch.tensor(path["observations"][t]), torch.tensor(path["actions"][t]), z[k]
                    )
        log_z = 2.0 * np.log(np.exp(scores / 2.0).mean(axis=0)) if normaliser == "path" else 0.0
        weights = np.exp((scores - log_z) / 2.0)
        np.testing.assert_allclose(
            decision.probs, (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0), atol=1e-5
        )
        assert decision.tasks.shape == (len(scores),)


class TwoTaskNetworks:
    """z is the mean of the context's rewards, and the critic pays z: the utility of a path
    under a task is its mean reward there.
    """

    device = torch.device("cpu")
    reward_scale, discount, sparse_rewards, context_batch_size = 1.0, 0.9, False, 4
    layout = ContextLayout(obs_dim=2, action_dim=2)

    def posterior(self, context, mask):
        mean = (context[..., 4] * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True)
        return mean, torch.zeros_like(mean)

    def action(self, obs, z, noise):
        return torch.tanh(noise(len(obs), 2))

    def critics(self, obs, action, z):
        return z, z + 1.0

    def value(self, obs, z, noise):
        return torch.zeros_like(z)

    def transitions(self, task, number, rng):
        raise AssertionError("not asked for")


def _two_task_scorer(offset=0.0, scale=-1.0):
    """Task 0 pays the first action, task 1 pays `offset` + `scale` times it. Both have
    seen trajectories with mean first action 0 and log 3.
    """

    def rewards(path, tasks):
        first = path["actions"][:, 0]
        return TaskRewards(
            np.stack([first, offset + scale * first])[list(tasks)].astype(np.float32),
            np.zeros((len(tasks), len(first)), bool),
        )

    memory = TaskMemory([0, 1], 2, 1, np.random.default_rng(0))
    for task in (0, 1):
        for action in (0.0, math.log(3.0)):
            context = np.zeros((3, 5), np.float32)
            context[:, 4] = action if task == 0 else offset + scale * action
            memory.add(task, context, np.zeros(2, np.float32))
    return Scorer(TwoTaskNetworks(), memory, Hindsight(rewards), [0, 1], np.random.SeedSequence(0))


def _path(action, make_path, length=6):
    return make_path(length, actions=np.full((length, 2), action, np.float32))


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_two_task_world_has_the_known_answer_whatever_a_task_pays_in_general(make_path, offset):
    scorer = _two_task_scorer(offset)
    relabeler = make_relabeler("hfr", num_partition_samples=2, normaliser="trajectories", temperature=1.0)
    (decision,) = relabeler.decide([_path(math.log(2.0), make_path)], [0], scorer, np.random.default_rng(0))
    # U = (log 2, offset - log 2); Z = (mean(1, 3), e^offset mean(1, 1/3)) = (2, 2/3
    # e^offset): odds 2/2 to (1/2)/(2/3).
    np.testing.assert_allclose(decision.utilities, [math.log(2.0), offset - math.log(2.0)], atol=1e-4)
    np.testing.assert_allclose(decision.probs, [4 / 7, 3 / 7], atol=1e-4)
    relabeler = make_relabeler("hfr", normaliser="off", temperature=1.0)
    (ablation,) = relabeler.decide([_path(math.log(2.0), make_path)], [0], scorer, np.random.default_rng(0))
    assert ablation.probs[1] == pytest.approx(1.0 if offset else 0.2, abs=1e-4)
    assert np.isnan(ablation.log_partition).all()


@pytest.mark.parametrize("method", ["hfr", "hipi-trajectory"])
def test_a_task_that_pays_a_multiple_takes_everything_unless_its_partition_is_taken_off(make_path, method):
    """HIPI figure 2, HFR figure 8b: the second task pays 200 times what the first does.
    Every path is worth more under it; with log Z only those go there that are good by
    its own standards.
    """
    scorer = _two_task_scorer(scale=200.0)
    good, poor = _path(math.log(3.0), make_path, length=3), _path(math.log(1.1), make_path, length=3)
    on, off = (
        make_relabeler(method, num_partition_samples=2, normaliser=name, temperature=1.0)
        for name in ("trajectories", "off")
    )
    rng = np.random.default_rng(0)
    with_z, without_z = (relabeler.decide([good, poor], [0, 0], scorer, rng) for relabeler in (on, off))
    for decision in without_z:
        np.testing.assert_allclose(decision.probs, [0.0, 1.0], atol=1e-6)
    # log Z is log((1 + e^u) / 2), u the score of the better trajectory stored: the path
    # that equals it has odds (1 + e^-u) to (1 + e^-200u).
    u = math.log(3.0) * (1 if method == "hfr" else 3 * TwoTaskNetworks.reward_scale)
    odds = 2 / (1 + math.exp(-u))
    np.testing.assert_allclose(with_z[0].probs, [odds / (odds + 2), 2 / (odds + 2)], rtol=1e-3)
    np.testing.assert_allclose(with_z[1].probs, [1.0, 0.0], atol=1e-6)


def test_hard_max_always_takes_the_best_and_soft_max_samples(make_path):
    scorer, rng = _two_task_scorer(), np.random.default_rng(0)
    path = _path(math.log(2.0), make_path)
    hard = make_relabeler("hfr", num_partition_samples=2, temperature=0.0, normaliser="trajectories")
    assert {hard.decide([path], [1], scorer, rng)[0].tasks for _ in range(50)} == {0}
    soft = make_relabeler("hfr", num_partition_samples=2, normaliser="trajectories", temperature=1.0)
    drawn = [soft.decide([path], [1], scorer, rng)[0].tasks for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(3 / 7, abs=0.04)


def test_a_prior_multiplies_the_odds_and_zero_takes_a_task_out(make_path):
    """The odds of the two-task world are 4 to 3 at temperature 1."""
    scorer, rng = _two_task_scorer(), np.random.default_rng(0)
    options = dict(num_partition_samples=2, normaliser="trajectories", temperature=1.0)
    for prior, expected in (([1, 1], 4 / 7), ([3, 4], 0.5), ([2, 0], 1.0), ([0, 1], 0.0)):
        relabeler = make_relabeler("hfr", prior=prior, **options)
        (decision,) = relabeler.decide([_path(math.log(2.0), make_path)], [0], scorer, rng)
        np.testing.assert_allclose(decision.probs, [expected, 1 - expected], atol=1e-4)
    with pytest.raises(ValueError, match="weight of each of the 2 candidate tasks, got 3"):
        make_relabeler("hfr", prior=[1, 1, 1], **options).decide([_path(0.0, make_path)], [0], scorer, rng)


def test_padding_does_not_change_a_utility(make_path):
    """Paths of different lengths scored together get what they get alone."""
    scorer = _two_task_scorer()
    relabeler = make_relabeler("hfr", num_partition_samples=2, normaliser="trajectories", temperature=1.0)
    paths = [_path(0.3, make_path, 2), _path(-0.7, make_path, 9), _path(0.1, make_path, 5)]
    together = relabeler.utilities(paths, scorer)
    alone = torch.cat([relabeler.utilities([path], scorer) for path in paths])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(together[:, 0], torch.tensor([0.3, -0.7, 0.1]))


def test_log_partition_is_kept_until_the_networks_change(make_path):
    scorer = _two_task_scorer()
    relabeler = make_relabeler("hfr", num_partition_samples=2, normaliser="trajectories", temperature=1.0)
    first = relabeler.log_partition(scorer)
    scorer.memory.add(0, np.full((3, 5), 9.0, np.float32), np.zeros(2, np.float32))
    torch.testing.assert_close(relabeler.log_partition(scorer), first)
    scorer.refresh()
    assert relabeler.log_partition(scorer)[0] > first[0]


def test_random_is_uniform_and_none_stays(make_path):
    scorer, rng = _two_task_scorer(), np.random.default_rng(0)
    path = _path(0.0, make_path)
    drawn = [d.tasks for d in make_relabeler("random").decide([path] * 2000, [0] * 2000, scorer, rng)]
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.04)
    assert [d.tasks for d in make_relabeler(None).decide([path] * 3, [1, 0, 1], scorer, rng)] == [1, 0, 1]


def test_sampling_follows_the_probabilities():
    probs = np.tile([[0.0, 0.2, 0.5, 0.3, 0.0]], (20_000, 1))
    counts = np.bincount(sample_rows(probs, np.random.default_rng(0)), minlength=5) / len(probs)
    np.testing.assert_allclose(counts, probs[0], atol=0.015)
    assert counts[0] == counts[4] == 0.0


def test_reservoir_is_a_uniform_sample():
    hits = np.zeros(20)
    for seed in range(2000):
        reservoir, rng = Reservoir(5), np.random.default_rng(seed)
        for i in range(20):
            reservoir.add(np.array(i), rng)
        assert len(set(map(int, reservoir.items))) == 5
        hits[[int(i) for i in reservoir.items]] += 1
    np.testing.assert_allclose(hits / 2000, 0.25, atol=0.05)
    assert sorted(map(int, reservoir.draw(5, np.random.default_rng(0)))) == sorted(map(int, reservoir.items))
    assert len(reservoir.draw(9, np.random.default_rng(0))) == 9


@pytest.mark.parametrize("name", RELABELERS)
def test_every_entry_of_the_registry_decides(world, name):
    algorithm, relabeler, scorer, paths = world(name)
    decisions = relabeler.decide(paths, [0, 1, 2, 3], scorer, np.random.default_rng(0))
    assert relabeler.name == name
    for decision in decisions:
        assert (
            decision.probs.shape
            == decision.utilities.shape
            == decision.log_partition.shape
            == (len(algorithm.train_tasks),)
        )
        assert decision.probs.sum() == pytest.approx(1.0)
        assert np.isin(decision.tasks, algorithm.train_tasks).all()


def test_options_are_checked_by_name_and_value():
    assert relabeler_options(RELABELERS["hfr"]) == [
        "num_initial_states",
        "utility",
        "num_rollouts",
        "num_latents",
        "latent",
        "num_partition_samples",
        "temperature",
        "normaliser",
        "tasks_per_path",
        "prior",
    ]
    with pytest.raises(ValueError, match="did you mean 'hfr'"):
        make_relabeler("hffr")
    with pytest.raises(ValueError, match="did you mean 'temperature'"):
        make_relabeler("hfr", temprature=1.0)
    with pytest.raises(ValueError, match="takes none at all"):
        make_relabeler("random", temperature=1.0)
    for bad in (
        {"num_initial_states": 0},
        {"num_partition_samples": 2.5},
        {"temperature": -1},
        {"normaliser": "no"},
        {"latent": "mode"},
        {"prior": [0.0, 0.0]},
        {"prior": [1.0, -1.0]},
        {"prior": "uniform"},
    ):
        with pytest.raises(ValueError, match=next(iter(bad))):
            make_relabeler("hfr", **bad)
    with pytest.raises(ValueError, match="finished"):
        make_relabeler(make_relabeler("hfr"), temperature=1.0)


def test_several_tasks_are_drawn_without_replacement_by_their_probabilities():
    probs, rng = np.tile([0.6, 0.3, 0.1, 0.0], (20_000, 1)), np.random.default_rng(0)
    drawn = sample_distinct(probs, 2, rng)
    assert all(len(set(row)) == 2 and 3 not in row for row in drawn)
    pairs, counts = np.unique(np.stack(drawn), axis=0, return_counts=True)
    shares = {tuple(pair): count / len(drawn) for pair, count in zip(pairs.tolist(), counts, strict=True)}
    for first, p in enumerate((0.6, 0.3, 0.1)):
        for second, q in enumerate((0.6, 0.3, 0.1)):
            if first != second:
                assert shares[first, second] == pytest.approx(p * q / (1 - p), abs=0.01)
    # a task without mass is never taken
    assert all(len(row) == 3 for row in sample_distinct(probs[:10], 4, rng))


@pytest.mark.parametrize("name", ["hfr", "air", "advantage"])
def test_several_tasks_a_path_are_distinct_and_the_best(world, name):
    algorithm, relabeler, scorer, paths = world(name, env_name="point-robot", tasks_per_path=3)
    with scorer.networks.isolated():
        decisions = relabeler.decide(paths, algorithm.train_tasks[:4], scorer, np.random.default_rng(0))
    for decision in decisions:
        assert isinstance(decision.tasks, tuple)
        assert len(set(decision.tasks)) == 3
        if name == "advantage":
            assert list(decision.tasks) == np.argsort(-decision.utilities)[:3].tolist()


@pytest.mark.parametrize("name", RELABELERS)
def test_a_class_says_what_its_defaults_need(name):
    """So that what a relabeler needs is known before one is built."""
    cls, made = RELABELERS[name], make_relabeler(name)
    needs = {key for key in dir(cls) if key.startswith("needs_")}
    assert {"needs_goals", "needs_vectors"} <= needs
    assert {key: getattr(cls, key) for key in needs} == {key: getattr(made, key) for key in needs}
