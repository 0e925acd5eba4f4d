"""Posteriors of a grid of paths and tasks, and what is kept while the networks stay."""

from __future__ import annotations

import types

import numpy as np
import pytest
import torch
from saved import saved_and_loaded

from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.scoring.scorer import Posterior, Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory


class _CountsAndSums:
    """A host whose "posterior" of a context has the mean (its rows, their rewards' sum)."""

    sparse_rewards, layout, device = False, ContextLayout(1, 1), torch.device("cpu")

    def posterior(self, context, mask):
        rewards = context[..., self.layout.reward] * mask
        return torch.stack([mask.sum(-1).float(), rewards.sum(-1)], -1), torch.ones(len(context), 2)


def _path(steps):
    zeros = np.zeros((steps, 1), np.float32)
    return dict(observations=zeros, next_observations=zeros, actions=zeros, rewards=zeros,
                terminals=zeros, agent_infos={}, env_infos={})  # fmt: skip


@pytest.mark.parametrize("max_rows", [1, 4, 1000])
def test_the_posterior_of_each_path_and_task_is_that_of_its_rows_with_the_tasks_rewards(max_rows):
    """However many rows a forward pass may have, and with paths of other lengths beside it."""

    def rewards(path, tasks):
        values = np.repeat(np.asarray(tasks, np.float32)[:, None], len(path["rewards"]), axis=1)
        return TaskRewards(values, np.zeros(values.shape, bool), None)

    memory = TaskMemory([1, 5, 7], 1, 1, np.random.default_rng(0))
    scorer = Scorer(
        _CountsAndSums(), memory, Hindsight(rewards), [1, 5, 7], np.random.SeedSequence(0), max_rows=max_rows
    )
    mean, variance = scorer.path_posteriors([_path(2), _path(3)])
    assert mean.shape == variance.shape == (2, 3, 2)
    np.testing.assert_array_equal(mean[..., 0], [[2, 2, 2], [3, 3, 3]])
    np.testing.assert_array_equal(mean[..., 1], [[2, 10, 14], [3, 15, 21]])


@pytest.mark.parametrize("max_rows", [1, 1000])
@pytest.mark.parametrize(
    ("after_terminal", "counts", "sums"),
    [("drop", [[2, 2, 2], [3, 2, 3]], [[2, 10, 14], [3, 10, 21]]),
     ("keep", [[2, 2, 2], [3, 3, 3]], [[2, 10, 14], [3, 15, 21]])],
)  # fmt: skip
def test_the_posterior_is_of_the_episode_that_a_task_would_have_seen(max_rows, after_terminal, counts, sums):
    """Task 5 ends at the second step."""

    def rewards(path, tasks):
        values = np.repeat(np.asarray(tasks, np.float32)[:, None], len(path["rewards"]), axis=1)
        terminals = np.zeros(values.shape, bool)
        terminals[1, 1:] = True
        return TaskRewards(values, terminals, None)

    memory = TaskMemory([1, 5, 7], 1, 1, np.random.default_rng(0))
    hindsight = Hindsight(rewards, after_terminal=after_terminal)
    scorer = Scorer(
        _CountsAndSums(), memory, hindsight, [1, 5, 7], np.random.SeedSequence(0), max_rows=max_rows
    )
    mean, _ = scorer.path_posteriors([_path(2), _path(3)])
    np.testing.assert_array_equal(mean[..., 0], counts)
    np.testing.assert_array_equal(mean[..., 1], sums)


def test_new_networks_forget_what_was_computed_and_train_the_learned_reward():
    class Learner:
        fits = 0

        def fit(self):
            self.fits += 1

    learner = Learner()
    networks = types.SimpleNamespace(device=torch.device("cpu"))
    memory = TaskMemory([0], 1, 1, np.random.default_rng(0))
    scorer = Scorer(networks, memory, Hindsight(pytest.fail, learner=learner), [0], np.random.SeedSequence(0))
    assert [scorer.once("x", lambda: 1), scorer.once("x", lambda: 2)] == [1, 1]
    scorer.refresh()
    assert scorer.once("x", lambda: 3) == 3
    assert learner.fits == 1


def test_a_state_holds_what_was_computed_where_a_checkpoint_can():
    networks = types.SimpleNamespace(device=torch.device("cpu"))

    def build():
        memory = TaskMemory([0], 1, 1, np.random.default_rng(0))
        return Scorer(networks, memory, Hindsight(pytest.fail), [0], np.random.SeedSequence(0))

    scorer, twin = build(), build()
    computed = {
        "tensor": torch.ones(2),
        "tensors": (torch.ones(2), torch.zeros(1)),
        "named": Posterior(torch.ones(1), torch.ones(1)),
        "array": np.ones(2),
        "number": 1.5,
    }
    for key, value in computed.items():
        scorer.once(key, lambda value=value: value)
    twin.load_state_dict(saved_and_loaded(scorer.state_dict()))
    anew = {key for key in computed if twin.once(key, lambda: "anew") == "anew"}
    assert anew == {"named", "array", "number"}


class _ReadsInOrder:
    """A belief of the context's last row, to be read in order; actions are z, and the discount is 0.5."""

    sparse_rewards, layout, device = False, ContextLayout(1, 1), torch.device("cpu")
    in_order, context_batch_size, reward_scale, discount = True, 6, 3.0, 0.5

    def posterior(self, context, mask):
        last = mask.sum(-1).long() - 1
        return context[torch.arange(len(context)), last, 2:], torch.zeros(len(context), 1)

    def action(self, obs, z, noise):
        return z

    def simulator(self):
        return _PaysTheAction(), 3


class _PaysTheAction:
    def reset_task(self, task):
        self.task = task

    def reset(self):
        return np.zeros(1)

    def step(self, action):
        return np.zeros(1), self.task * float(action[0]), False, {}


@pytest.fixture
def reads_in_order():
    """The one trajectory of each task is paid 1, 2, 3, ..., so that its last row is known."""
    memory = TaskMemory([1, 2], 5, 1, np.random.default_rng(0))
    for task, steps in ((1, 4), (2, 6)):
        rows = np.zeros((steps, 3), np.float32)
        rows[:, 2] = np.arange(1, steps + 1)
        memory.add(task, rows, np.zeros(1, np.float32))
    return Scorer(_ReadsInOrder(), memory, Hindsight(pytest.fail), [1, 2], np.random.SeedSequence(0))


def test_an_encoder_that_reads_in_order_gets_whole_trajectories(reads_in_order):
    for _ in range(5):
        np.testing.assert_array_equal(reads_in_order.task_latents(latent="mean"), [[[4.0], [6.0]]])
        mean, _ = reads_in_order.sampled_posteriors("contexts", 2)
        np.testing.assert_array_equal(mean[..., 0], [[4.0, 6.0], [4.0, 6.0]])


def test_what_is_earned_in_the_simulator_is_in_the_critics_units(reads_in_order):
    """Three steps of 2 and of 5 times the task, at a discount of 0.5 and a reward scale of 3."""
    utilities = reads_in_order.simulated_utilities(torch.tensor([[[2.0], [5.0]]]), 1)
    np.testing.assert_allclose(utilities, [[3.0 * 1.75 * 2.0, 3.0 * 1.75 * 2 * 5.0]])


def test_returns_of_the_pool_are_of_the_rewards_that_the_context_sees():
    class SparseContext(_CountsAndSums):
        sparse_rewards = True

    def rewards(path, tasks):
        dense = np.ones((len(tasks), len(path["rewards"])), np.float32)
        return TaskRewards(dense, np.zeros(dense.shape, bool), 10.0 * np.asarray(tasks)[:, None] * dense)

    memory = TaskMemory([1, 2], 2, 1, np.random.default_rng(0))
    memory.collected(1, _path(3))
    scorer = Scorer(SparseContext(), memory, Hindsight(rewards), [1, 2], np.random.SeedSequence(0))
    np.testing.assert_array_equal(scorer.sampled_returns("pooled", 5), [[30.0, 60.0]])
