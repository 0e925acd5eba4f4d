"""A router of paths among three tasks."""

from __future__ import annotations

import numpy as np
import pytest
from three_tasks import TASKS, Always, NoNetworks, own_number

from rlkit_hfr.buffers.router import RelabelingRouter
from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory


@pytest.fixture
def make_router():
    def build(tasks=20, warm=True, hindsight=None, **options):
        memory = TaskMemory(TASKS, 5, 5, np.random.default_rng(0))
        hindsight = hindsight or Hindsight(own_number)
        scorer = Scorer(NoNetworks(), memory, hindsight, TASKS, np.random.SeedSequence(0))
        if warm:
            for task in TASKS:
                memory.add(task, np.zeros((1, 5), np.float32), np.zeros(2))
                memory.collected(task, {})
        options = {"relabel_fraction": 1.0, **options}
        return RelabelingRouter(
            Always(tasks), scorer, RelabelStatistics(TASKS), np.random.default_rng(0), **options
        )

    return build
