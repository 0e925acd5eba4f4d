"""Collecting data for meta-training: an agent, its environment, and a buffer a task
(Rakelly et al. 2019, algorithm 1).
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.paths import PathDict
from rlkit_hfr.pearl.agent import PEARLAgent
from rlkit_hfr.pearl.config import MetaRLConfig
from rlkit_hfr.pearl.sampler import SideBySideSampler
from rlkit_hfr.protocols import TaskEnv
from rlkit_hfr.replay_buffer import MultiTaskReplayBuffer
from rlkit_hfr.state import State, plain_indices, rng_state, set_rng_state


class Collector(abc.ABC):
    """What an algorithm of meta-training collects with, and collects, under oyster's names.

    Sampled tasks are collected side by side; posteriors are inferred from contexts that are
    asked for one task at a time.
    """

    def __init__(
        self,
        env: TaskEnv,
        agent: PEARLAgent,
        train_tasks: Sequence[int],
        eval_tasks: Sequence[int],
        config: MetaRLConfig,
        seed: int,
    ) -> None:
        """seed: of the tasks drawn, the buffers' batches and the environments; torch's
        global generator drives the networks.
        """
        self.env = env
        self.agent = agent
        self.config = config
        self.train_tasks = plain_indices(train_tasks)
        self.eval_tasks = plain_indices(eval_tasks)
        self.seed = seed
        self.reward_scale = config.reward_scale
        self.discount = config.discount
        self.batch_size = config.batch_size
        self.embedding_batch_size = config.embedding_batch_size
        self.max_path_length = config.max_path_length
        self.sparse_rewards = config.sparse_rewards
        self.use_next_obs_in_context = config.use_next_obs_in_context
        tasks_seed, rl_seed, enc_seed, envs_seed = np.random.SeedSequence(seed).spawn(4)
        self.rng = np.random.default_rng(tasks_seed)
        self.sampler = SideBySideSampler(
            env, agent, config.max_path_length, config.num_envs, envs_seed, config.step_threads
        )
        size = config.replay_buffer_size
        self.replay_buffer = MultiTaskReplayBuffer(
            size, env, self.train_tasks, np.random.default_rng(rl_seed)
        )
        self.enc_replay_buffer = MultiTaskReplayBuffer(
            size, env, self.train_tasks, np.random.default_rng(enc_seed)
        )
        self._n_env_steps_total = 0
        self._n_rollouts_total = 0

    @abc.abstractmethod
    def sample_context(self, indices: int | Iterable[int]) -> Tensor:
        """A context batch (number of tasks, B, D) for one task or several, on the CPU."""

    def _visit(self, tasks: Sequence[int]) -> None:
        """Collect fresh data for distinct tasks: z ~ prior, z ~ posterior, and extra data
        for the RL buffer alone.
        """
        for task in tasks:
            self.enc_replay_buffer.task_buffers[task].clear()
        self.collect_data(tasks, self.config.num_steps_prior)
        self.collect_data(tasks, self.config.num_steps_posterior, update_posterior=True)
        self.collect_data(
            tasks, self.config.num_extra_rl_steps_posterior, update_posterior=True, add_to_enc_buffer=False
        )

    @torch.no_grad()
    def collect_data(
        self,
        tasks: Sequence[int],
        num_samples: int,
        update_posterior: bool = False,
        add_to_enc_buffer: bool = True,
        stickiness: float = 0.0,
    ) -> None:
        """Collect whole trajectories until each task has at least `num_samples` new steps.

        Every trajectory acts on its own sample of z: of the prior or, with
        `update_posterior`, of q(z|c) given the encoder buffer's data after each
        trajectory. stickiness: probability that an action is the one before it.
        """
        missing = np.full(len(tasks), num_samples)
        waiting: list[list[PathDict]] = [[] for _ in tasks]
        self.agent.clear_z(num_tasks=len(tasks))
        while open_tasks := np.flatnonzero(missing > 0).tolist():
            turn = [tasks[i] for i in open_tasks]
            self.agent.clear_z(num_tasks=len(turn))
            if update_posterior and (missing < num_samples).any():
                self._infer_from_stored_context(turn)
            for i, path in zip(
                open_tasks, self.sampler.obtain_paths(turn, stickiness=stickiness), strict=True
            ):
                waiting[i].append(path)
                missing[i] -= len(path["rewards"])
                self._n_env_steps_total += len(path["rewards"])
                self._n_rollouts_total += 1
            # The posterior needs each trajectory at once; without it, a task's
            # trajectories are stored together.
            for i in open_tasks:
                if update_posterior or missing[i] <= 0:
                    self.replay_buffer.add_paths(tasks[i], waiting[i])
                    if add_to_enc_buffer:
                        self.enc_replay_buffer.add_paths(tasks[i], waiting[i])
                    waiting[i] = []

    def _infer_from_stored_context(self, tasks: Sequence[int]) -> None:
        context = torch.cat([self.sample_context(task) for task in tasks])
        self.agent.infer_posterior(context.to(self.agent.z.device))

    def state_dict(self) -> State:
        """What was collected, and where the generators stand, between two iterations."""
        return dict(
            env_steps=self._n_env_steps_total,
            rollouts=self._n_rollouts_total,
            rng=rng_state(self.rng),
            sampler=self.sampler.state_dict(),
            replay_buffer=self.replay_buffer.state_dict(),
            enc_replay_buffer=self.enc_replay_buffer.state_dict(),
        )

    def load_state_dict(self, state: State) -> None:
        self._n_env_steps_total = state["env_steps"]
        self._n_rollouts_total = state["rollouts"]
        set_rng_state(self.rng, state["rng"])
        self.sampler.load_state_dict(state["sampler"])
        self.replay_buffer.load_state_dict(state["replay_buffer"])
        self.enc_replay_buffer.load_state_dict(state["enc_replay_buffer"])
