"""Memory and checkpoint of a run at its end: ``python benchmarks/memory.py --env ant-goal``.

Fills the buffers of a paper-scale run, relabeling included, with as many steps as all
its iterations collect (of random numbers, because only their number matters), then
trains one update and writes a checkpoint.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from rlkit_hfr.experiments.runs.build import attach_relabeler, build_algorithm
from rlkit_hfr.experiments.runs.checkpoint import NAME, save_checkpoint
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.pearl.logger import setup_logger


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="ant-goal")
    args = parser.parse_args()
    variant = build_variant(args.env, "hfr", "paper", None, [], 0)
    algorithm = build_algorithm(variant, torch.device("cpu"))
    # routes paths at no cost
    relabeling = attach_relabeler(algorithm, {**variant, "relabeler": "random", "relabel_params": {}})
    config, rng = algorithm.config, np.random.default_rng(0)
    length, space = config.max_path_length, algorithm.env.observation_space
    obs_dim, action_dim = space.shape[0], algorithm.env.action_space.shape[0]
    before = _peak()
    achieved = (
        len(algorithm.env.step(np.zeros(action_dim))[3]["achieved"])
        if algorithm.env.reset_task(0) is not None
        else 0
    )
    obs = rng.normal(size=(length, obs_dim)).astype(space.dtype)
    path = dict(observations=obs, next_observations=obs, actions=np.zeros((length, action_dim), np.float32),
                rewards=np.zeros((length, 1), np.float32), terminals=np.zeros((length, 1), bool),
                env_infos={"achieved": np.zeros((length, achieved), np.float32)})  # fmt: skip

    def store(task: int, steps: int, encoder: bool) -> int:
        paths = [dict(path) for _ in range(-(-steps // length))]
        algorithm.replay_buffer.add_paths(task, paths)
        if encoder:
            algorithm.enc_replay_buffer.add_paths(task, paths)
        return len(paths) * length

    total = sum(store(task, config.num_initial_steps, True) for task in algorithm.train_tasks)
    for _ in range(config.num_iterations):
        for task in rng.choice(algorithm.train_tasks, config.num_tasks_sample).tolist():
            algorithm.enc_replay_buffer.task_buffers[task].clear()
            total += store(task, config.num_steps_prior + config.num_steps_posterior, True)
            total += store(task, config.num_extra_rl_steps_posterior, False)
    algorithm._do_training(algorithm.train_tasks[: config.meta_batch])
    full = _peak()
    print(
        f"{args.env}: {total:,} transitions; peak memory {full:.2f} GB, of which {before:.2f} GB before any"
        " data"
    )
    with tempfile.TemporaryDirectory(dir=".") as folder:
        setup_logger(Path(folder), variant)
        started = time.perf_counter()
        save_checkpoint(Path(folder), variant, algorithm, relabeling)
        seconds, size = time.perf_counter() - started, (Path(folder) / NAME).stat().st_size / 1e9
        print(f"checkpoint: {size:.2f} GB in {seconds:.1f} s; peak memory with it {_peak():.2f} GB")


if __name__ == "__main__":
    main()
