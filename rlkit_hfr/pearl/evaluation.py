"""Adaptation of a PEARL agent to tasks, trajectory by trajectory, all tasks side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from rlkit_hfr.paths import PathDict, context_rows, pad, recorded_rewards
from rlkit_hfr.pearl.agent import PEARLAgent
from rlkit_hfr.pearl.config import MetaRLConfig
from rlkit_hfr.pearl.logger import LogRow
from rlkit_hfr.pearl.sampler import SideBySideSampler


@dataclass(frozen=True)
class Adaptation:
    """returns, successes: (tasks, J), the figures of the j-th trajectory of an adaptation,
        averaged over `num_evals`.

    A success is that of a trajectory's last step, NaN where the environment defines none.
    """

    returns: np.ndarray
    successes: np.ndarray

    @property
    def final_return(self) -> float:
        return float(self.returns[:, -1].mean())

    @property
    def final_success(self) -> float:
        return float(self.successes[:, -1].mean())


def path_return(path: PathDict, sparse: bool) -> float:
    """Undiscounted sum of rewards, of the sparse ones if `sparse`."""
    return float(recorded_rewards(path, sparse).sum())


def path_success(path: PathDict) -> float:
    infos = path["env_infos"]
    if not isinstance(infos, Mapping):
        return float(infos[-1].get("success", "nan"))
    return float(infos["success"][-1]) if "success" in infos else float("nan")


@torch.no_grad()
def adapt(
    agent: PEARLAgent, sampler: SideBySideSampler, tasks: Sequence[int], config: MetaRLConfig
) -> tuple[Adaptation, list[list[PathDict]]]:
    """Adapt to each task `num_evals` times; also returns the paths of every adaptation, tasks outermost.

    The first `num_exp_traj_eval` trajectories act on samples of the prior; then the
    posterior given everything seen so far.
    """
    slots = [task for task in tasks for _ in range(config.num_evals)]
    paths: list[list[PathDict]] = [[] for _ in slots]
    seen: list[np.ndarray] = [np.zeros((0, agent.context_encoder.input_size), np.float32) for _ in slots]
    steps = np.zeros(len(slots), int)
    agent.clear_z(num_tasks=len(slots))
    while open_slots := np.flatnonzero(steps < config.num_steps_per_eval).tolist():
        means, variances = agent.z_means, agent.z_vars
        agent.z_means = means[open_slots]
        agent.z_vars = variances[open_slots]
        agent.sample_z()
        new = sampler.obtain_paths([slots[i] for i in open_slots], deterministic=config.eval_deterministic)
        agent.z_means = means
        agent.z_vars = variances
        for i, path in zip(open_slots, new, strict=True):
            paths[i].append(path)
            steps[i] += len(path["rewards"])
            rows = context_rows(
                path, recorded_rewards(path, config.sparse_rewards), config.use_next_obs_in_context
            )
            seen[i] = np.concatenate([seen[i], rows])
        # Slots move together: a slot that is done keeps its belief up to date at no cost.
        if len(paths[open_slots[0]]) >= config.num_exp_traj_eval:
            agent.infer_posterior(*(torch.as_tensor(array, device=agent.z.device) for array in pad(seen)))
    # every adaptation has at least these
    trajectories = -(-config.num_steps_per_eval // config.max_path_length)
    shape = (len(tasks), config.num_evals, trajectories)
    returns = np.reshape(
        [[path_return(p, config.sparse_rewards) for p in run[:trajectories]] for run in paths], shape
    )
    successes = np.reshape([[path_success(p) for p in run[:trajectories]] for run in paths], shape)
    return Adaptation(returns.mean(axis=1), successes.mean(axis=1)), paths


def adaptation_statistics(
    agent: PEARLAgent,
    sampler: SideBySideSampler,
    train_tasks: Sequence[int],
    test_tasks: Sequence[int],
    config: MetaRLConfig,
) -> LogRow:
    """Columns of the log on adapting to training and to test tasks, and, with `eval_sampled`, to
    test tasks by sampled actions once more.
    """
    row: LogRow = {}
    for name, tasks in (("train", train_tasks), ("test", test_tasks)):
        result, _ = adapt(agent, sampler, tasks, config)
        row[f"AverageReturn_all_{name}_tasks"] = result.final_return
        row[f"SuccessRate_all_{name}_tasks"] = result.final_success
        means = zip(result.returns.mean(axis=0), result.successes.mean(axis=0), strict=True)
        for j, (value, success) in enumerate(means, 1):
            row[f"{name}/trajectory {j} return"] = float(value)
            row[f"{name}/trajectory {j} success"] = float(success)
    successes = np.full(result.returns.shape[1], math.nan)
    if config.eval_sampled:
        sampled = replace(config, eval_deterministic=False, num_evals=1)
        successes = adapt(agent, sampler, test_tasks, sampled)[0].successes.mean(axis=0)
    for j, success in enumerate(successes, 1):
        row[f"test/trajectory {j} success (sampled actions)"] = float(success)
    return row


def critic_convergence(updates: int, tau: float, discount: float) -> float:
    """How much of its way to the fixed point a critic has gone after so many updates, between 0 and 1.

    A target network that moves by tau at each update closes the share tau (1 - discount) of the
    distance to the value that it leads to, so that 1 - (1 - tau (1 - discount))^updates is behind it.
    """
    return 1.0 - (1.0 - tau * (1.0 - discount)) ** updates
