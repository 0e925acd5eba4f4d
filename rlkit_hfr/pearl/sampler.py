"""Side-by-side rollouts: many tasks, one environment each, one batched policy call per step."""
from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from rlkit_hfr.pearl.agent import PEARLAgent
from rlkit_hfr.state import State


@contextmanager
def single_torch_thread() -> Iterator[None]:
    """Small batches on many threads wait for each other: a forward of one row takes up to 50 times longer on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class SideBySideSampler:
    """Rolls out one episode for each of N tasks at the same time.

    Environments are deep copies of `env`, made as they are needed, at most `max_envs`; more tasks are done in several turns.
    """

    def __init__(
        self, env: Any, agent: PEARLAgent, max_path_length: int, max_envs: int, seeds: np.random.SeedSequence, threads: int = 1
    ) -> None:
        """threads: that step the environments; 0 for as many as torch has, at most 4, if the environment's `threads_help`. Paths do not depend
        on it."""
        self.env, self.agent = env, agent
        self._threads = threads or (min(4, torch.get_num_threads()) if getattr(env, "threads_help", False) else 1)
        self.max_path_length, self.max_envs = max_path_length, max_envs
        self._seeds = seeds
        self._envs: list[Any] = []

    def obtain_paths(self, tasks: Sequence[int], deterministic: bool = False) -> list[dict[str, Any]]:
        """One path per task, in order; path i acts on row i of the agent's z."""
        z = self.agent.z
        paths: list[dict[str, Any]] = []
        with single_torch_thread(), ThreadPoolExecutor(self._threads) as pool:
            for start in range(0, len(tasks), self.max_envs):
                part = slice(start, start + self.max_envs)
                paths += self._rollout(tasks[part], z[part], deterministic, pool)
        self.agent.z = z
        return paths

    def _environments(self, number: int) -> list[Any]:
        while len(self._envs) < number:
            env = copy.deepcopy(self.env)
            env.seed(int(self._seeds.spawn(1)[0].generate_state(1)[0]))
            self._envs.append(env)
        return self._envs[:number]

    def state_dict(self) -> State:
        """Where the environments' generators are, between two episodes. TypeError for an environment that can't say."""
        missing = [env for env in self._envs if not hasattr(env, "random_state")]
        if missing:
            raise TypeError(f"{type(missing[0]).__name__} has no random_state() and set_random_state(state), which a checkpoint needs")
        return dict(environments=[env.random_state() for env in self._envs])

    def load_state_dict(self, state: State) -> None:
        saved = state["environments"]
        for env, random_state in zip(self._environments(len(saved)), saved, strict=True):
            env.set_random_state(random_state)

    def _step(self, envs: list[Any], actions: np.ndarray, pool: ThreadPoolExecutor) -> list[Any]:
        """One step of each environment, in order; the physics of each share runs in a thread of its own."""

        def share(first: int) -> list[Any]:
            return [envs[i].step(actions[i]) for i in range(first, len(envs), self._threads)]

        if self._threads == 1 or len(envs) == 1:
            return [env.step(action) for env, action in zip(envs, actions, strict=True)]
        others = [pool.submit(share, first) for first in range(1, min(self._threads, len(envs)))]
        shares = [share(0), *(other.result() for other in others)]
        return [shares[i % self._threads][i // self._threads] for i in range(len(envs))]

    def _rollout(self, tasks: Sequence[int], z: torch.Tensor, deterministic: bool, pool: ThreadPoolExecutor) -> list[dict[str, Any]]:
        envs = self._environments(len(tasks))
        episodes = [_Episode(self.max_path_length) for _ in tasks]
        obs = []
        for env, task in zip(envs, tasks, strict=True):
            env.reset_task(task)
            obs.append(env.reset())
        active = list(range(len(tasks)))
        for _ in range(self.max_path_length):
            self.agent.z = z[active] if len(active) < len(tasks) else z
            actions = self.agent.get_actions(np.stack([obs[i] for i in active]), deterministic)
            still = []
            results = self._step([envs[i] for i in active], actions, pool)
            for i, action, (next_obs, reward, terminal, info) in zip(active, actions, results, strict=True):
                episodes[i].append(obs[i], action, reward, next_obs, terminal, info)
                obs[i] = next_obs
                if not terminal:
                    still.append(i)
            active = still
            if not active:
                break
        latents = z.detach().cpu().numpy()
        return [episode.path(latent) for episode, latent in zip(episodes, latents, strict=True)]


class _Episode:
    """The steps of one episode, gathered into rlkit's path."""

    def __init__(self, max_path_length: int) -> None:
        self._max_path_length = max_path_length
        self._steps: list[tuple[Any, ...]] = []

    def append(self, *step: Any) -> None:
        self._steps.append(step)

    def path(self, latent: np.ndarray) -> dict[str, Any]:
        observations, actions, rewards, next_observations, terminals, infos = zip(*self._steps, strict=True)
        length = len(rewards)
        timeouts = np.zeros((length, 1), bool)
        timeouts[-1] = length == self._max_path_length and not terminals[-1]
        dtype = np.uint8 if observations[0].dtype == np.uint8 else np.float32
        return dict(
            observations=np.asarray(observations, dtype),
            actions=np.asarray(actions, np.float32),
            rewards=np.asarray(rewards, np.float32).reshape(-1, 1),
            next_observations=np.asarray(next_observations, dtype),
            terminals=np.asarray(terminals, bool).reshape(-1, 1),
            timeouts=timeouts,
            agent_infos={},
            env_infos={key: np.asarray([info[key] for info in infos]) for key in infos[0]},
            context=latent,
        )
