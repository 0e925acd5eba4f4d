"""A small MIER."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from env_wrappers import make_env
from rlkit_hfr.mier.algorithm import MIER, build_nets
from rlkit_hfr.mier.config import MIERConfig

TINY: dict[str, Any] = dict(
    num_iterations=2,
    num_initial_steps=20,
    num_tasks_sample=3,
    num_steps_prior=20,
    num_steps_posterior=20,
    num_extra_rl_steps_posterior=20,
    num_train_steps_per_itr=4,
    num_evals=1,
    num_steps_per_eval=40,
    max_path_length=10,
    meta_batch=3,
    batch_size=16,
    embedding_batch_size=12,
)


@pytest.fixture
def make_mier() -> Callable[..., MIER]:
    """A MIER with tiny networks on 5 training and 2 test tasks of a task family."""

    def build(env_name: str = "point-robot", *, seed: int = 0, env: Any = None, **settings: Any) -> MIER:
        torch.manual_seed(seed)
        env = make_env(env_name, n_tasks=7, seed=seed) if env is None else env
        config = MIERConfig(**{**TINY, **settings})
        nets = build_nets(env.observation_space.shape[0], env.action_space.shape[0], 3, 16, config, 16)
        tasks = list(env.get_all_task_idx())
        return MIER(env, tasks[:-2], tasks[-2:], nets, config, seed=seed, callbacks=(), log_dir=None)

    return build
