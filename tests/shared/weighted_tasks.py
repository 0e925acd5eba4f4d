"""A world of tasks that pay a weighted sum of the action, where the critic's value is known."""

from __future__ import annotations

import numpy as np
import torch
from mean_rewards import MeanRewardBelief

from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory

K = 4
WEIGHTS = np.random.default_rng(7).normal(size=(K, 2)).astype(np.float32)


class WeightedNetworks(MeanRewardBelief):
    """The critic pays 10 z, and z is the mean of the context's rewards."""

    reward_scale, discount, context_batch_size = 2.0, 0.5, 8

    def action(self, obs, z, noise):
        return torch.zeros(len(obs), 2)

    def critics(self, obs, action, z):
        return 10.0 * z + 1.0, 10.0 * z


class SparseNetworks(WeightedNetworks):
    """The context sees the sparse rewards, the critic is trained on the others."""

    sparse_rewards = True


def weighted_rewards(offset=0.0):
    """The sparse reward of a step is 1 where the task would pay more than 1.5, and 0 elsewhere."""

    def rewards(path, tasks):
        values = WEIGHTS[list(tasks)] @ path["actions"].T
        values[0] += offset
        return TaskRewards(values, np.zeros(values.shape, bool), (values > 1.5).astype(np.float32))

    return rewards


def weighted_scorer(offset=0.0, stored=(0.1, 0.2, 0.3, 0.4), length=3, networks=WeightedNetworks):
    """Each task has one stored trajectory of `length` equal rewards; task 0 pays `offset` besides."""
    memory = TaskMemory(range(K), 5, 1, np.random.default_rng(0))
    for task, value in enumerate(stored):
        memory.add(task, np.full((length, 5), value, np.float32), np.zeros(2, np.float32))
    rewards = Hindsight(weighted_rewards(offset))
    return Scorer(networks(), memory, rewards, range(K), np.random.SeedSequence(0))
