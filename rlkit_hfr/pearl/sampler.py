"""Side-by-side rollouts: many tasks, one environment each, one batched policy call per step."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch

from rlkit_hfr.paths import PathDict
from rlkit_hfr.pearl.episodes import Episodes
from rlkit_hfr.pearl.stepping import Stepper
from rlkit_hfr.protocols import Actor, Restorable, TaskEnv
from rlkit_hfr.state import State


@contextmanager
def single_torch_thread() -> Iterator[None]:
    """Small batches on many threads wait for each other: a forward of one row takes up to
    50 times longer on a busy machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class SideBySideSampler:
    """Rolls out one episode for each of N tasks at the same time.

    Environments are deep copies of `env`, made as they are needed, at most `max_envs`;
    more tasks are done in several turns.
    """

    def __init__(
        self,
        env: TaskEnv,
        agent: Actor,
        max_path_length: int,
        max_envs: int,
        seeds: np.random.SeedSequence,
        threads: int = 1,
    ) -> None:
        """threads: that step the environments; 0 for as many as torch has, at most 4, if
        the environment's `threads_help`. Paths do not depend on it.
        """
        _check_that_copies_differ(env)
        self.env = env
        self.agent = agent
        self._threads = threads or (
            min(4, torch.get_num_threads()) if getattr(env, "threads_help", False) else 1
        )
        self.max_path_length = max_path_length
        self.max_envs = max_envs
        self._seeds = seeds
        self._envs: list[TaskEnv] = []

    def obtain_paths(
        self, tasks: Sequence[int], deterministic: bool = False, stickiness: float = 0.0
    ) -> list[PathDict]:
        """One path per task, in order; path i acts on row i of the agent's z.

        stickiness: probability, from 0 to 1, that an action is the one before it.
        """
        z = self.agent.z
        paths: list[PathDict] = []
        with single_torch_thread(), ThreadPoolExecutor(self._threads) as pool:
            for start in range(0, len(tasks), self.max_envs):
                part = slice(start, start + self.max_envs)
                stepper = Stepper(pool, self._threads)
                paths += self._rollout(tasks[part], z[part], deterministic, stickiness, stepper)
        self.agent.z = z
        return paths

    def _environments(self, number: int) -> list[TaskEnv]:
        while len(self._envs) < number:
            env = copy.deepcopy(self.env)
            seed = int(self._seeds.spawn(1)[0].generate_state(1)[0])
            if _takes_seed(env):
                env.seed(seed)
            self._envs.append(env)
        return self._envs[:number]

    def state_dict(self) -> State:
        """Where the environments' generators are, between two episodes. TypeError for an
        environment that can't say.
        """
        return dict(environments=[_restorable(env).random_state() for env in self._envs])

    def load_state_dict(self, state: State) -> None:
        saved = state["environments"]
        for env, random_state in zip(self._environments(len(saved)), saved, strict=True):
            _restorable(env).set_random_state(random_state)

    def _rollout(
        self,
        tasks: Sequence[int],
        z: torch.Tensor,
        deterministic: bool,
        stickiness: float,
        stepper: Stepper,
    ) -> list[PathDict]:
        envs = self._environments(len(tasks))
        first = []
        for env, task in zip(envs, tasks, strict=True):
            env.reset_task(task)
            first.append(env.reset())
        episodes = Episodes(np.stack(first), self.max_path_length)
        while active := episodes.active:
            self.agent.z = z[active] if len(active) < len(tasks) else z
            actions = self.agent.get_actions(episodes.obs[active], deterministic)
            if stickiness:
                actions = episodes.stuck(actions, torch.rand(len(active)).numpy() < stickiness)
            episodes.append(actions, stepper.step([envs[i] for i in active], actions))
        return episodes.paths(z.detach().cpu().numpy())


def _takes_seed(env: TaskEnv) -> bool:
    return callable(getattr(env, "seed", None))


def _check_that_copies_differ(env: TaskEnv) -> None:
    """ValueError for an environment that draws numbers and can't be seeded: its copies would all draw the
    same ones."""
    if not _takes_seed(env) and isinstance(env, Restorable) and env.random_state():
        raise ValueError(
            f"{type(env).__name__} draws numbers (its random_state() holds some) and has no seed(n); copies"
            " of it run side by side, each with a seed of its own: give it seed(n)"
        )


def _restorable(env: TaskEnv) -> Restorable:
    if not isinstance(env, Restorable):
        raise TypeError(
            f"{type(env).__name__} has no random_state() and set_random_state(state), "
            "which a checkpoint needs"
        )
    return env
