"""A world of two tasks where the utility of a path is its mean reward, so that every answer is known."""

from __future__ import annotations

import math

import numpy as np
import torch
from mean_rewards import MeanRewardBelief

from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory


class TwoTaskNetworks(MeanRewardBelief):
    """z is the mean of the context's rewards, and the critic pays z: the utility of a path
    under a task is its mean reward there.
    """

    reward_scale, discount, context_batch_size = 1.0, 0.9, 4

    def action(self, obs, z, noise):
        return torch.tanh(noise(len(obs), 2))

    def critics(self, obs, action, z):
        return z, z + 1.0

    def value(self, obs, z, noise):
        return torch.zeros_like(z)

    def transitions(self, task, number, rng):
        raise AssertionError("not asked for")


def two_task_scorer(offset=0.0, scale=-1.0):
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


def path_with_action(action, make_path, length=6):
    return make_path(length, actions=np.full((length, 2), action, np.float32))
