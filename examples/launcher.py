"""A launcher of one's own: the built-in PEARL with a relabeler, trained from Python.

python -m examples.launcher --relabeler hfr --iterations 20
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from env_wrappers import make_env
from rlkit_hfr import attach
from rlkit_hfr.pearl import PEARLConfig, PEARLSoftActorCritic, build_nets

# The quick preset of sparse-point-robot.
SETTINGS: dict[str, Any] = dict(
    num_iterations=30,
    num_initial_steps=100,
    num_tasks_sample=10,
    num_steps_prior=100,
    num_steps_posterior=200,
    num_extra_rl_steps_posterior=0,
    num_train_steps_per_itr=200,
    num_evals=1,
    num_steps_per_eval=160,
    num_exp_traj_eval=5,
    num_train_tasks_eval=5,
    meta_batch=10,
    batch_size=32,
    embedding_batch_size=256,
    max_path_length=20,
    discount=0.9,
    soft_target_tau=0.02,
    policy_lr=1e-3,
    qf_lr=1e-3,
    vf_lr=1e-3,
    context_lr=1e-3,
    reward_scale=1.0,
    entropy_weight=0.01,
    sparse_rewards=True,
    kl_lambda=1e-4,
)


def make_algorithm(
    seed: int, train_tasks: int = 40, test_tasks: int = 20, net_size: int = 64, **changes: Any
) -> PEARLSoftActorCritic:
    """PEARL on the sparse point robot. changes: of SETTINGS."""
    torch.manual_seed(seed)
    env = make_env("sparse-point-robot", n_tasks=train_tasks + test_tasks, seed=seed)
    config = PEARLConfig(**{**SETTINGS, **changes})
    obs_dim, action_dim = env.observation_space.shape[0], env.action_space.shape[0]
    nets = build_nets(obs_dim, action_dim, 5, net_size, config, encoder_size=net_size)
    tasks = list(env.get_all_task_idx())
    return PEARLSoftActorCritic(
        env,
        tasks[:train_tasks],
        tasks[train_tasks:],
        nets,
        config,
        seed=seed,
        log_settings={"env_name": "sparse-point-robot"},
    )


def main(argv: Sequence[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--relabeler", default="hfr")
    p.add_argument("--iterations", type=int, default=30)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--log-dir", type=Path, default=Path("output"))
    args = p.parse_args(argv)
    algorithm = make_algorithm(args.seed, num_iterations=args.iterations)
    algorithm.log_dir = args.log_dir
    relabeling = attach(algorithm, args.relabeler, seed=args.seed)
    algorithm.train()
    print(relabeling)


if __name__ == "__main__":
    main()
