"""Adaptation of a PEARL agent to tasks, trajectory by trajectory, all tasks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rlkit_hfr.paths import PathDict, context_rows, pad, recorded_rewards
from rlkit_hfr.pearl.agent import PEARLAgent
from rlkit_hfr.pearl.config import MetaRLConfig
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
    return float(path["env_infos"]["success"][-1]) if "success" in path["env_infos"] else float("nan")


@torch.no_grad()
def adapt(
    agent: PEARLAgent, sampler: SideBySideSampler, tasks: Sequence[int], config: MetaRLConfig
) -> tuple[Adaptation, list[list[dict[str, Any]]]]:
    """Adapt to each task `num_evals` times; also returns the paths of every adaptation, tasks outermost.

    The first `num_exp_traj_eval` trajectories act on samples of the prior; then the
    posterior given everything seen so far.
    """
    slots = [task for task in tasks for _ in range(config.num_evals)]
    paths: list[list[dict[str, Any]]] = [[] for _ in slots]
    seen: list[np.ndarray] = [np.zeros((0, agent.context_encoder.input_size), np.float32) for _ in slots]
    steps = np.zeros(len(slots), int)
    agent.clear_z(num_tasks=len(slots))
    while open_slots := np.flatnonzero(steps < config.num_steps_per_eval).tolist():
        means, variances = agent.z_means, agent.z_vars
        agent.z_means, agent.z_vars = means[open_slots], variances[open_slots]
        agent.sample_z()
        new = sampler.obtain_paths([slots[i] for i in open_slots], deterministic=config.eval_deterministic)
        agent.z_means, agent.z_vars = means, variances
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
