"""The scorer's own noise."""

from __future__ import annotations

import types

import numpy as np
import torch

from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory


def _scorer(seed):
    networks = types.SimpleNamespace(device=torch.device("cpu"))
    memory = TaskMemory([0], 1, 1, np.random.default_rng(0))
    return Scorer(networks, memory, Hindsight(None), [0], np.random.SeedSequence(seed))


def test_noise_goes_on_and_is_that_of_the_seed():
    scorer, twin, other = _scorer(0), _scorer(0), _scorer(1)
    first, second = scorer.noise(4, 3), scorer.noise(4, 3)
    assert first.shape == (4, 3)
    assert not torch.equal(first, second)
    assert torch.equal(twin.noise(4, 3), first)
    assert torch.equal(twin.noise(4, 3), second)
    assert not torch.equal(other.noise(4, 3), first)


def test_noise_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    _scorer(0).noise(5)
    assert torch.equal(torch.get_rng_state(), before)
