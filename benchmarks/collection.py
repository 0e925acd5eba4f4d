"""Collection and update speed of the built-in PEARL: ``python benchmarks/collection.py --env sawyer-push``.

Both sides run in this process, in alternation, on the same networks and environments;
what counts is the ratio.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time

import torch
from timing import median_seconds

from env_wrappers import ENVIRONMENTS, make_env
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.pearl.sac import PEARLSoftActorCritic, build_nets


def _algorithm(env_name: str, num_envs: int, horizon: int, threads: int) -> PEARLSoftActorCritic:
    torch.manual_seed(0)
    env = make_env(env_name, n_tasks=4 if env_name == "four-corners" else 20, seed=0)
    config = PEARLConfig(num_envs=num_envs, max_path_length=horizon, step_threads=threads)
    nets = build_nets(env.observation_space.shape[0], env.action_space.shape[0], 5, 300, config)
    tasks = list(env.get_all_task_idx())
    return PEARLSoftActorCritic(env, tasks, tasks, nets, config)


def _steps_per_second(algorithm: PEARLSoftActorCritic, number: int) -> float:
    tasks = (algorithm.train_tasks * number)[:number]
    algorithm.agent.clear_z(num_tasks=number)
    started = time.perf_counter()
    paths = algorithm.sampler.obtain_paths(tasks)
    return sum(len(path["rewards"]) for path in paths) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", choices=list(ENVIRONMENTS), default="sawyer-push")
    parser.add_argument("--side-by-side", type=int, default=10, help="tasks collected together")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--horizon", type=int, default=150)
    args = parser.parse_args()

    one, many = (_algorithm(args.env, number, args.horizon, threads=1) for number in (1, args.side_by_side))
    threaded = _algorithm(args.env, args.side_by_side, args.horizon, threads=torch.get_num_threads())
    sides = {"one": one, "many": many, "threads": threaded}
    for algorithm in sides.values():
        _steps_per_second(algorithm, args.side_by_side)  # builds the environments
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(args.repeats):
        for name, algorithm in sides.items():
            rates[name].append(_steps_per_second(algorithm, args.side_by_side))
    alone, together, in_threads = (statistics.median(rates[name]) for name in sides)

    for task in many.train_tasks:
        many.collect_data([task], 300)
    indices = (many.train_tasks * 4)[:16]
    many._do_training(indices)
    update = median_seconds(lambda: many._do_training(indices), args.repeats * 2)

    print(
        f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()}"
        " threads for updates, 1 for sampling"
    )
    print(
        f"collection on {args.env}, networks 3x300, {args.side_by_side} tasks: one path at a time"
        f" {alone:,.0f} steps/s, side by side {together:,.0f} steps/s, ratio {together / alone:.2f}; in"
        f" {torch.get_num_threads()} threads {in_threads:,.0f} steps/s, ratio {in_threads / alone:.2f}"
    )
    print(
        f"update, meta-batch 16 x 256, context 64: {update:.3f} s; one update costs as much as"
        f" {update * together:,.0f} steps side by side"
    )


if __name__ == "__main__":
    main()
