"""A small MIER."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_runs import ALGORITHM

from env_wrappers import make_env
from rlkit_hfr.mier.algorithm import MIER, build_nets
from rlkit_hfr.mier.config import MIERConfig


@pytest.fixture
def make_mier() -> Callable[..., MIER]:
    """A MIER with tiny networks on 5 training and 2 test tasks of a task family."""

    def build(env_name: str = "point-robot", *, seed: int = 0, env: Any = None, **settings: Any) -> MIER:
        torch.manual_seed(seed)
        env = make_env(env_name, n_tasks=7, seed=seed) if env is None else env
        config = MIERConfig(**{**ALGORITHM, **settings})
        nets = build_nets(env.observation_space.shape[0], env.action_space.shape[0], 3, 16, config, 16)
        tasks = list(env.get_all_task_idx())
        return MIER(env, tasks[:-2], tasks[-2:], nets, config, seed=seed, callbacks=(), log_dir=None)

    return build
