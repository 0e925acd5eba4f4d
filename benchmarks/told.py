"""What does a trained agent lack: knowing what to do on a task, or finding out which it is?

    python benchmarks/told.py results/sawyer-reach-500/hfr/s-3 ...

Of each run's agent (``variant.json``, ``params.pkl``), success on its test tasks by mean actions:

* first, last: of the first and the last trajectory of an adaptation, as the run evaluates it
  unless --trajectories or --exploring say otherwise;
* told: of a trajectory on the z of two episodes of the family's scripted expert.

An agent that is low in both has not learned the tasks. One that is high when it is told, and low by
itself, has learned them and does not find out.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch

from rlkit_hfr.experiments.cloning.demonstrations import ScriptedAgent, require_expert, roll_out
from rlkit_hfr.experiments.pictures.adaptation import load_trained
from rlkit_hfr.paths import context_rows, pad, recorded_rewards
from rlkit_hfr.pearl.config import MetaRLConfig
from rlkit_hfr.pearl.evaluation import adapt, path_success
from rlkit_hfr.pearl.learner import Learner


@torch.no_grad()
def told(algorithm: Learner, tasks: list[int], seed: int) -> float:
    """Mean success on z from q(z|c), c two episodes of the expert."""
    config, agent, env = algorithm.config, algorithm.agent, algorithm.env
    expert = ScriptedAgent(env, 0.0, np.random.default_rng(seed))
    shown = roll_out(env, expert, np.repeat(tasks, 2), config.max_path_length, np.random.SeedSequence(seed))
    rows = [
        context_rows(path, recorded_rewards(path, config.sparse_rewards), config.use_next_obs_in_context)
        for path in shown
    ]
    contexts = [np.concatenate(rows[i : i + 2]) for i in range(0, len(rows), 2)]
    agent.infer_posterior(*(torch.as_tensor(array) for array in pad(contexts)))
    return float(
        np.mean([path_success(p) for p in algorithm.sampler.obtain_paths(tasks, deterministic=True)])
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder")
    parser.add_argument("--repetitions", type=int, default=3, help="adaptations of each task (3)")
    parser.add_argument(
        "--trajectories", type=int, help="of an adaptation, each as long as it may be (the run's)"
    )
    parser.add_argument(
        "--exploring",
        type=int,
        nargs="+",
        default=[None],
        help="trajectories with z from the prior; several numbers, a row each (the run's)",
    )
    args = parser.parse_args()
    print("| run | exploring | first | last | told |\n|---|---|---|---|---|")
    for run in args.runs:
        for exploring in args.exploring:
            try:
                algorithm = load_trained(run, "params.pkl")
                require_expert(algorithm.env)
                config = _evaluation(algorithm, args.repetitions, args.trajectories, exploring)
            except (OSError, ValueError) as error:
                parser.error(str(error))
            torch.manual_seed(0)
            algorithm.env.seed(0)
            tasks = list(algorithm.eval_tasks)
            by_itself = adapt(algorithm.agent, algorithm.sampler, tasks, config)[0].successes.mean(axis=0)
            shown = np.mean([told(algorithm, tasks, seed) for seed in range(args.repetitions)])
            row = f"{config.num_exp_traj_eval} | {by_itself[0]:.2f} | {by_itself[-1]:.2f} | {shown:.2f}"
            print(f"| {run} | {row} |", flush=True)


def _evaluation(
    algorithm: Learner, repetitions: int, trajectories: int | None, exploring: int | None
) -> MetaRLConfig:
    """How the run evaluates, but for what is given. ValueError for what can't be."""
    steps = None if trajectories is None else trajectories * algorithm.max_path_length
    given = {"num_evals": repetitions, "num_exp_traj_eval": exploring, "num_steps_per_eval": steps}
    changes = {name: value for name, value in given.items() if value is not None}
    return dataclasses.replace(algorithm.config, **changes)


if __name__ == "__main__":
    main()
