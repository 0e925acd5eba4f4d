"""Three tasks, of which each pays its number at every step, and a relabeler that always decides alike."""

from __future__ import annotations

import contextlib

import numpy as np
import torch

from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler
from rlkit_hfr.rewards.task_rewards import TaskRewards

TASKS = [10, 20, 30]  # ids need not be 0..n-1


class Always(Relabeler):
    name = "always"

    def __init__(self, tasks):
        self.tasks, self.asked = tasks, []

    def decide(self, paths, source_tasks, scorer, rng):
        self.asked.append((list(paths), list(source_tasks)))
        unknown = np.zeros(3)
        return [RelabelDecision(self.tasks, np.full(3, 1 / 3), unknown, unknown) for _ in paths]


class NoNetworks:
    sparse_rewards = False
    layout = ContextLayout(obs_dim=2, action_dim=2)

    updates = 0
    device = torch.device("cpu")

    def isolated(self):
        return contextlib.nullcontext()

    def version(self):
        return self.updates

    def has_transitions(self, tasks):
        return True


def own_number(path, tasks):
    shape = (len(tasks), len(path["rewards"]))
    terminals = np.zeros(shape, bool)
    terminals[:, -1] = True
    return TaskRewards(np.broadcast_to(np.array(tasks, np.float32)[:, None], shape), terminals)
