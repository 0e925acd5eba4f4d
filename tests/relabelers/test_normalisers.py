"""Estimators of log Z in a world where each gives another answer that is known beforehand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.relabelers.normalisers import NORMALISERS
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory

LENGTH = 3
LOG_3 = math.log(3.0)


class MeanRewardNetworks:
    """The posterior's mean is the mean of the context's rewards, its variance is given,
    and both critics pay z.

    So the utility of a path under a task is its mean reward there, plus noise where the
    variance is not 0.
    """

    device = torch.device("cpu")
    reward_scale, discount, sparse_rewards, context_batch_size = 1.0, 1.0, False, 4
    layout = ContextLayout(obs_dim=2, action_dim=2)

    def __init__(self, variance=0.0):
        self.variance = variance

    def posterior(self, context, mask):
        mean = (context[..., 4] * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True)
        return mean, torch.full_like(mean, self.variance)

    def action(self, obs, z, noise):
        return torch.zeros(len(obs), 2)

    def critics(self, obs, action, z):
        return z, z


def _rewards(path, tasks):
    """Task 0 pays the first action, task 1 pays minus that."""
    first = path["actions"][:, 0]
    values = np.stack([first, -first])[list(tasks)].astype(np.float32)
    return TaskRewards(values, np.zeros(values.shape, bool))


def _context(reward):
    rows = np.zeros((LENGTH, 5), np.float32)
    rows[:, 4] = reward
    return rows


@pytest.fixture
def make_world(make_path):
    """Stored for task 0: mean rewards 0 and T log 7, for task 1 twice 0. Collected: first
    actions 0 and T log 3. The latest visit of task 0 paid T log 5 a step, that of task
    1 paid T log 2; an earlier visit paid something else.
    """

    def build(temperature=1.0, variance=0.0, collected=(0.0, LOG_3)):
        memory = TaskMemory([0, 1], 2, 1, np.random.default_rng(0))
        for task, stored in ((0, (0.0, math.log(7.0))), (1, (0.0, 0.0))):
            for value in stored:
                memory.add(task, _context(temperature * value), np.zeros(2, np.float32))
        for task, value in enumerate(collected):
            memory.collected(task, path_of(temperature * value))
        for task, value in ((0, math.log(5.0)), (1, math.log(2.0))):
            memory.visited(task, _context(-9.0), iteration=1)
            memory.visited(task, _context(temperature * value), iteration=2)
        return Scorer(
            MeanRewardNetworks(variance), memory, Hindsight(_rewards), [0, 1], np.random.SeedSequence(0)
        )

    def path_of(action):
        return make_path(LENGTH, actions=np.full((LENGTH, 2), action, np.float32))

    build.path_of = path_of
    return build


# log Z(psi) / T: pooled is over the two collected paths under both tasks, the rest over
# what each task has of its own.
KNOWN = {
    "pooled": (math.log(2.0), math.log(2.0 / 3.0)),
    "pooled-mean": (LOG_3 / 2.0, -LOG_3 / 2.0),
    "contexts": (math.log(5.0), math.log(2.0)),
    "trajectories": (math.log(4.0), 0.0),
    "mean": (math.log(7.0) / 2.0, 0.0),
}


@pytest.mark.parametrize("temperature", [1.0, 10.0])
@pytest.mark.parametrize("normaliser", KNOWN)
def test_each_estimator_has_its_own_known_answer(make_world, normaliser, temperature):
    relabeler = make_relabeler("hfr", normaliser=normaliser, num_partition_samples=2, temperature=temperature)
    log_z = relabeler.log_partition(make_world(temperature))
    np.testing.assert_allclose(log_z.numpy(), temperature * np.array(KNOWN[normaliser]), rtol=1e-4, atol=1e-5)


def test_the_decision_follows_the_estimator(make_world):
    """U = (log 3, -log 3): the odds of task 0 are 9 times exp(log Z_1 - log Z_0)."""
    path = make_world.path_of(math.log(3.0))
    for normaliser in NORMALISERS:
        relabeler = make_relabeler("hfr", normaliser=normaliser, num_partition_samples=2, temperature=1.0)
        (decision,) = relabeler.decide([path], [0], make_world(), np.random.default_rng(0))
        first, second = KNOWN.get(normaliser, (0.0, 0.0))
        odds = 9.0 * math.exp(second - first)
        assert decision.probs[0] == pytest.approx(odds / (1.0 + odds), rel=1e-4)
        assert np.isnan(decision.log_partition).all() == (normaliser == "off")


def test_a_maximum_sends_a_solved_path_away_and_the_pool_does_not(make_world):
    """Far from temperature 1 the log mean exp over a task's own best path is a maximum: a
    path that solves task 0 as well as any before scores log 2 there, and where nothing
    good is stored the worst path scores more.
    """
    world, good = make_world(temperature=200.0), make_world.path_of(200.0 * math.log(3.0))
    own, pool = (
        make_relabeler("hfr", normaliser=name, num_partition_samples=2, temperature=1.0)
        for name in ("trajectories", "pooled")
    )
    gaps = []
    for relabeler in (own, pool):
        (decision,) = relabeler.decide([good], [1], world, np.random.default_rng(0))
        gaps.append(np.diff(decision.utilities - decision.log_partition)[0])
        world.refresh()
    assert gaps[0] > gaps[1]


@pytest.mark.parametrize(("normaliser", "worth"), [("mean", 0.0), ("pooled-mean", 0.5)])
def test_what_solves_a_solved_task_is_worth_something_there_by_the_mean_of_the_pool(
    make_world, normaliser, worth
):
    """All that is stored for task 0 pays 1, and half of what is collected does: one more that
    pays 1 is no better than what the task has, and better than what is collected.
    """
    world = make_world(collected=(1.0, 0.0))
    for _ in range(20):  # until the reservoir of two holds nothing else
        world.memory.add(0, _context(1.0), np.zeros(2, np.float32))
    relabeler = make_relabeler("hfr", normaliser=normaliser, num_partition_samples=2)
    (decision,) = relabeler.decide([make_world.path_of(1.0)], [0], world, np.random.default_rng(0))
    assert (decision.utilities - decision.log_partition)[0] == pytest.approx(worth, abs=1e-6)


@pytest.mark.parametrize(
    ("normaliser", "expected"), [("pooled", 2.0 / 3.0), ("mean", 7.0**-1.5), ("off", 1.0)]
)
def test_hipi_trajectory_takes_the_same_estimators(make_world, normaliser, expected):
    """Its utility is the return: LENGTH times the mean reward. A path that pays nothing
    has odds exp(log Z_1 - log Z_0).
    """
    relabeler = make_relabeler(
        "hipi-trajectory", normaliser=normaliser, num_partition_samples=2, temperature=1.0
    )
    scorer = make_world(collected=(0.0, math.log(2.0) / LENGTH) if normaliser == "pooled" else (0.0, 0.0))
    (decision,) = relabeler.decide([make_world.path_of(0.0)], [0], scorer, np.random.default_rng(0))
    # pooled: the means over exp(R) = 1, 2 and 1, 1/2 are 3/2 and 3/4.
    odds = {"pooled": 0.5}.get(normaliser, expected)
    assert decision.probs[0] / decision.probs[1] == pytest.approx(odds, rel=1e-4)


class TransitionNetworks(MeanRewardNetworks):
    """The critics pay the first action times z, and z is a task's mean reward."""

    def critics(self, obs, action, z):
        q = action[:, :1] * z
        return q, q


@pytest.mark.parametrize(
    ("normaliser", "expected"),
    [
        ("path", [2.0, 4.0]),  # the path's own actions, all 2
        ("pooled", [math.log((1 + math.exp(3.0)) / 2), math.log((1 + math.exp(6.0)) / 2)]),  # actions 0 and 3
        ("trajectories", [5.0, 2 * 7.0]),  # of transitions stored for each task: actions 5 and 7
        ("mean", [5.0, 14.0]),
        ("contexts", [11.0, 2 * 13.0]),  # of its latest visit: actions 11 and 13
        ("off", None),
    ],
)
def test_hipi_takes_them_over_transitions(make_path, normaliser, expected):
    def path_of(action):
        return make_path(LENGTH, actions=np.full((LENGTH, 2), action, np.float32))

    def context(reward, action):
        rows = _context(reward)
        rows[:, 2] = action
        return rows

    memory = TaskMemory([0, 1], 2, 1, np.random.default_rng(0))
    for task, stored, visited in ((0, 5.0, 11.0), (1, 7.0, 13.0)):
        for _ in range(2):
            memory.add(task, context(task + 1.0, stored), np.zeros(2, np.float32))
        memory.visited(task, context(0.0, visited), iteration=1)
    memory.collected(0, path_of(0.0))
    memory.collected(1, path_of(3.0))
    scorer = Scorer(TransitionNetworks(), memory, Hindsight(_rewards), [0, 1], np.random.SeedSequence(0))
    relabeler = make_relabeler("hipi", normaliser=normaliser, num_partition_samples=2, temperature=1.0)
    (decision,) = relabeler.decide([path_of(2.0)], [0], scorer, np.random.default_rng(0))
    np.testing.assert_allclose(decision.utilities, [2.0, 4.0], rtol=1e-5)
    if expected is None:
        assert np.isnan(decision.log_partition).all()
    else:
        np.testing.assert_allclose(decision.log_partition, expected, rtol=1e-4)


def test_the_mean_latent_has_no_noise_and_samples_average_to_it(make_world):
    path = make_world.path_of(1.0)

    def utilities(**options):
        relabeler = make_relabeler("hfr", normaliser="off", **options)
        return np.array([relabeler.utilities([path], world)[0, 0].item() for _ in range(400)])

    world = make_world(variance=4.0)
    assert set(utilities(latent="mean").round(5)) == {1.0}
    one, sixteen = utilities(latent="sample"), utilities(latent="sample", num_latents=16)
    assert one.mean() == pytest.approx(1.0, abs=0.4)
    assert one.std() == pytest.approx(2.0, rel=0.15)
    assert sixteen.std() == pytest.approx(2.0 / 4.0, rel=0.15)
    with pytest.raises(ValueError, match="one mean"):
        make_relabeler("hfr", latent="mean", num_latents=2)


def test_contexts_are_of_the_latest_visit_alone_and_of_stored_ones_before_any():
    memory = TaskMemory([0, 1], 3, 1, np.random.default_rng(0))
    memory.add(0, _context(1.0), np.zeros(2, np.float32))
    assert {float(rows[:, 4].max()) for rows in memory.contexts(0, 5)} == {1.0}
    memory.visited(0, _context(2.0), iteration=1)
    memory.visited(0, _context(3.0), iteration=1)
    assert {float(value) for rows in memory.contexts(0, 20) for value in rows[:, 4]} == {2.0, 3.0}
    memory.visited(0, _context(4.0), iteration=2)
    batches = memory.contexts(0, 5)
    assert {float(value) for rows in batches for value in rows[:, 4]} == {4.0}
    assert [len(rows) for rows in batches] == [LENGTH] * 5


def test_the_pool_has_recent_paths_of_every_task_and_comes_back_from_a_checkpoint(make_path):
    memory = TaskMemory([0, 1], 4, 1, np.random.default_rng(0))
    for task in (0, 1):
        memory.add(task, _context(0.0), np.zeros(2, np.float32))
        for marker in range(5):
            memory.collected(task, make_path(marker=10 * task + marker))
    memory.visited(1, _context(5.0), iteration=3)

    def markers(memory):
        return sorted(float(path["observations"][0, 0]) for path in memory.pooled_paths(9))

    assert markers(memory) == [3.0, 4.0, 13.0, 14.0]
    state, twin = memory.state_dict(), TaskMemory([0, 1], 4, 1, np.random.default_rng(1))
    twin.load_state_dict(state)
    assert markers(twin) == markers(memory)
    assert twin.contexts(1, 2)[0][0, 4] == 5.0
    np.testing.assert_array_equal(twin.pooled_paths(1)[0]["env_infos"]["achieved"].shape, (5, 2))


@pytest.mark.parametrize(("name", "power"), [("hfr", 1), ("hipi-trajectory", 1), ("hfr-bellman", 2)])
def test_the_default_temperature_follows_the_reward_scale(name, power):
    relabeler = make_relabeler(name)
    relabeler.reward_scale = 10.0
    assert relabeler.softmax_temperature == pytest.approx(0.3 * 10.0**power)
    assert make_relabeler(name, temperature=2.0).softmax_temperature == 2.0
