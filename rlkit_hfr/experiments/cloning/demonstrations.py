"""Demonstrations of the training tasks: by a scripted expert, or by a trained agent that has adapted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch

from env_wrappers.base import HindsightRewards
from rlkit_hfr.experiments.pictures.adaptation import load_trained
from rlkit_hfr.paths import PathDict
from rlkit_hfr.pearl.evaluation import adapt
from rlkit_hfr.pearl.learner import Learner
from rlkit_hfr.pearl.sampler import SideBySideSampler
from rlkit_hfr.protocols import Actor, TaskFamily

MAX_ENVS = 20


class Demonstrations(NamedTuple):
    """paths: N of them; tasks: (N,) the task that each is of, which no labeller is told; exploring: by task,
    other paths of it, which the agent adapted on; agent: None where the expert is scripted."""

    paths: list[PathDict]
    tasks: np.ndarray
    exploring: dict[int, list[PathDict]]
    agent: Learner | None


class DemonstratedFamily(TaskFamily, Protocol):
    """A task family whose tasks an expert can show; not every one has a scripted expert."""

    def expert_actions(self, obs: np.ndarray, tasks: np.ndarray) -> np.ndarray:
        """obs: (N, S); tasks: (N, G). Returns (N, A)."""

    def compute_rewards(self, path: PathDict, tasks: Sequence[int]) -> HindsightRewards: ...


class ScriptedAgent:
    """The expert of a task family with noise on its actions, for a sampler: z holds the task vectors."""

    def __init__(self, env: DemonstratedFamily, noise: float, rng: np.random.Generator) -> None:
        """noise: standard deviation, in units of actions, which are in [-1, 1]."""
        self._env = env
        self._noise = noise
        self._rng = rng
        self.z = torch.zeros(1, 1)

    def get_actions(self, obs: np.ndarray, deterministic: bool = False) -> np.ndarray:
        actions = self._env.expert_actions(obs, self.z.numpy().astype(np.float64))
        noisy = actions + self._noise * self._rng.normal(size=actions.shape)
        return np.clip(noisy, -1.0, 1.0).astype(np.float32)


def require_expert(env: object) -> None:
    """ValueError for a family without a scripted expert."""
    if not hasattr(env, "expert_actions"):
        raise ValueError(
            f"{type(env).__name__} has no scripted expert, expert_actions(obs, tasks); take the"
            " demonstrations of a trained agent by --run"
        )


def scripted(
    env: DemonstratedFamily, tasks: Sequence[int], number: int, max_path_length: int, noise: float, seed: int
) -> Demonstrations:
    """`number` demonstrations of random tasks. ValueError for a family without an expert."""
    require_expert(env)
    seeds = np.random.SeedSequence(seed).spawn(2)
    rng = np.random.default_rng(seeds[0])
    drawn = rng.choice(np.asarray(tasks), number)
    agent = ScriptedAgent(env, noise, rng)
    paths = roll_out(env, agent, drawn, max_path_length, seeds[1])
    return Demonstrations(paths, drawn, {}, None)


def roll_out(
    env: DemonstratedFamily,
    agent: Actor,
    tasks: np.ndarray,
    max_path_length: int,
    seeds: np.random.SeedSequence,
) -> list[PathDict]:
    """A path of each task by an agent that is told the task vector."""
    sampler = SideBySideSampler(env, agent, max_path_length, MAX_ENVS, seeds)
    agent.z = torch.as_tensor(env.tasks[tasks], dtype=torch.float32)
    return sampler.obtain_paths(tasks.tolist())


def of_agent(run: Path, number: int, seed: int) -> Demonstrations:
    """`number` trajectories of the agent of a run's folder, each after adapting to a random training
    task."""
    algorithm = load_trained(run, "params.pkl")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    algorithm.sampler.env.seed(seed)
    config = dataclasses.replace(algorithm.config, num_evals=1)
    drawn = rng.choice(np.asarray(algorithm.train_tasks), number)
    paths: list[PathDict] = []
    exploring: dict[int, list[PathDict]] = {}
    for start in range(0, number, MAX_ENVS):
        part = drawn[start : start + MAX_ENVS].tolist()
        for task, adaptation in zip(
            part, adapt(algorithm.agent, algorithm.sampler, part, config)[1], strict=True
        ):
            exploring.setdefault(task, []).extend(adaptation[:-1])
            paths.append(adaptation[-1])
    return Demonstrations(paths, drawn, exploring, algorithm)
