"""Speed of HFR's scoring against a loop over tasks: ``python benchmarks/scoring.py``.

The other side is the natural way to write algorithm 1: for each task, relabel the path
step by step, encode it, sample actions, average the critic. Both sides use the same
networks and data in one process; what counts is the ratio.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from timing import median_seconds
from torch.nn import functional as F

from env_wrappers import make_env
from rlkit_hfr import attach
from rlkit_hfr.gaussians import product_of_gaussians
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.pearl.sac import PEARLSoftActorCritic, build_nets


@torch.no_grad()
def _loop(algorithm: PEARLSoftActorCritic, path: dict, initial: torch.Tensor) -> list[float]:
    """Utilities of one path, a task at a time, with one call of the reward function per step."""
    env, agent, utilities = algorithm.env, algorithm.agent, []
    for k, task in enumerate(algorithm.train_tasks):
        rewards = [
            float(env.reward_of(achieved, env.tasks[task]).rewards)
            for achieved in path["env_infos"]["achieved"]
        ]
        context = np.concatenate(
            [path["observations"], path["actions"], np.array(rewards, np.float32)[:, None]], axis=1
        )
        params = agent.context_encoder(torch.as_tensor(context))
        mean, variance = product_of_gaussians(
            params[:, : agent.latent_dim], F.softplus(params[:, agent.latent_dim :])
        )
        z = (mean + variance.sqrt() * torch.randn_like(mean)).expand(len(initial[k]), -1)
        action = agent.policy(torch.cat([initial[k], z], dim=1)).action
        utilities.append(
            torch.min(algorithm.qf1(initial[k], action, z), algorithm.qf2(initial[k], action, z))
            .mean()
            .item()
        )
    return utilities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tasks", type=int, nargs="+", default=[10, 50, 100, 200], help="numbers of candidate tasks K"
    )
    parser.add_argument("--horizon", type=int, default=200)
    parser.add_argument("--num-initial-states", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    print(
        f"cheetah-vel, T = {args.horizon}, N_U = {args.num_initial_states}, networks 3x300, torch"
        f" {torch.__version__}"
    )
    for number in args.tasks:
        torch.manual_seed(0)
        env = make_env("cheetah-vel", n_tasks=number, seed=0)
        config = PEARLConfig(max_path_length=args.horizon)
        nets = build_nets(20, 6, 5, 300, config)
        algorithm = PEARLSoftActorCritic(env, range(number), range(1), nets, config)
        relabeling = attach(
            algorithm, "hfr", num_initial_states=args.num_initial_states, seed=0, precision="fp32"
        )
        for start in range(0, number, 10):
            algorithm.collect_data(range(start, min(number, start + 10)), args.horizon)
        scorer, relabeler = relabeling.scorer, relabeling.relabeler
        algorithm.agent.clear_z(num_tasks=4)
        paths = algorithm.sampler.obtain_paths([0] * 4)
        initial = scorer.initial_obs(args.num_initial_states)
        slow = median_seconds(lambda a=algorithm, p=paths[0], s=initial: _loop(a, p, s), args.repeats)
        fast = median_seconds(lambda r=relabeler, p=paths, s=scorer: r.utilities(p, s), args.repeats) / len(
            paths
        )
        print(
            f"K = {number:3d}: loop {slow:.3f} s a path, batched {fast:.3f} s a path, ratio {slow / fast:.2f}"
        )


if __name__ == "__main__":
    main()
