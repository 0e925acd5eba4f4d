"""Labels for demonstrations: any relabeler says which task each of them is of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.experiments.cloning.demonstrations import DemonstratedFamily, Demonstrations
from rlkit_hfr.hosts.families import OysterHost
from rlkit_hfr.paths import ContextLayout, PathDict
from rlkit_hfr.protocols import Batch, Env
from rlkit_hfr.relabelers import Relabeler, find_relabeler, make_relabeler, relabeler_options
from rlkit_hfr.relabelers.decisions import check_decisions
from rlkit_hfr.rewards.resolve import resolve_hindsight
from rlkit_hfr.scoring.host_view import HostView
from rlkit_hfr.scoring.path_rewards import NO_GOALS, NO_VECTORS
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory

# labels that no relabeler gives
REFERENCES = {
    "true": "the task that each demonstration is of",
    "agnostic": "none: the policy is not told the task",
}
_INITIAL_STATES = 16


class Labelled(NamedTuple):
    """Steps of a demonstration and the task that they are taken for. steps: (T,) bool; task: None for a
    policy that is not told."""

    path: PathDict
    steps: np.ndarray
    task: int | None


class BareNetworks:
    """What a scorer asks of a host, where there is no agent: rewards in the environment's units, and
    ValueError for every question to a network."""

    device = torch.device("cpu")
    reward_scale, discount, context_batch_size = 1.0, 0.99, 64

    def __init__(self, layout: ContextLayout, sparse_rewards: bool, labeller: str) -> None:
        self.layout = layout
        self.sparse_rewards = sparse_rewards
        self._labeller = labeller

    @contextmanager
    def isolated(self) -> Iterator[None]:
        yield

    def refuse(self, *args: object) -> NoReturn:
        raise ValueError(
            f"labeller {self._labeller!r} asks for the networks of an agent, and the expert is scripted; take"
            " the demonstrations of a trained agent by --run, or choose another labeller"
        )

    posterior: Callable[..., tuple[Tensor, Tensor]] = refuse
    action: Callable[..., Tensor] = refuse
    critics: Callable[..., tuple[Tensor, Tensor]] = refuse
    value: Callable[..., Tensor] = refuse
    transitions: Callable[..., Batch] = refuse
    simulator: Callable[..., tuple[Env, int]] = refuse

    def version(self) -> int:
        return 0

    def has_transitions(self, tasks: Sequence[int]) -> bool:
        return False


class BareMemory(TaskMemory):
    """What a scorer remembers where there is no agent: the demonstrations, and nothing of a task."""

    def __init__(self, networks: BareNetworks, *sizes: Any) -> None:
        """sizes: as `TaskMemory`."""
        super().__init__(*sizes)
        self._networks = networks

    def all_trajectories(self, task: int) -> list[np.ndarray]:
        self._networks.refuse()

    def trajectories(self, task: int, number: int) -> list[np.ndarray]:
        self._networks.refuse()


def labeller_of(name: str, options: dict[str, object], number: int) -> Relabeler:
    """The relabeler of a name. Where it takes log Z, that is over the `number` demonstrations, each under
    every task (HIPI algorithm 1), unless the options say otherwise: nothing is labelled yet that the other
    estimators could be taken over."""
    known = relabeler_options(find_relabeler(name))
    if "normaliser" in known and name != "hipi":
        options = {"normaliser": "pooled", "num_partition_samples": number, **options}
    return make_relabeler(name, **options)


def label(
    demonstrations: Demonstrations,
    env: DemonstratedFamily,
    tasks: Sequence[int],
    name: str,
    options: dict[str, object],
    sparse_rewards: bool,
    seed: int,
) -> list[Labelled]:
    """The demonstrations as a labeller sees them: a name of `REFERENCES`, or a relabeler with its options.

    A relabeler that would leave a path with its own task, which it is not told, is given a random one.
    """
    paths = demonstrations.paths
    whole = [np.ones(len(path["rewards"]), bool) for path in paths]
    if name in REFERENCES:
        known = demonstrations.tasks.tolist() if name == "true" else [None] * len(paths)
        return [Labelled(*each) for each in zip(paths, whole, known, strict=True)]
    relabeler = labeller_of(name, options, len(paths))
    draws, memory_seed, scorer_seed = np.random.SeedSequence(seed).spawn(3)
    rng = np.random.default_rng(draws)
    scorer = _scorer(demonstrations, env, tasks, relabeler, sparse_rewards, memory_seed, scorer_seed)
    if relabeler.needs_goals and not scorer.has_goals():
        raise ValueError(f"labeller {name!r}: {NO_GOALS}")
    if relabeler.needs_vectors and not scorer.has_vectors():
        raise ValueError(f"labeller {name!r}: {NO_VECTORS}")
    with scorer.networks.isolated():
        relabeler.observe(paths, scorer)
        made = relabeler.decide(paths, rng.choice(np.asarray(tasks), len(paths)).tolist(), scorer, rng)
    decisions = check_decisions(made, paths, list(tasks), relabeler)
    labelled = []
    for path, steps, decision in zip(paths, whole, decisions, strict=True):
        chosen = decision.tasks
        if isinstance(chosen, np.ndarray):
            labelled += [Labelled(path, chosen == task, task) for task in np.unique(chosen).tolist()]
        else:
            several = chosen if isinstance(chosen, tuple) else (chosen,)
            labelled += [Labelled(path, steps, int(task)) for task in several]
    return labelled


def _scorer(
    demonstrations: Demonstrations,
    env: DemonstratedFamily,
    tasks: Sequence[int],
    relabeler: Relabeler,
    sparse_rewards: bool,
    memory_seed: np.random.SeedSequence,
    scorer_seed: np.random.SeedSequence,
) -> Scorer:
    number = len(demonstrations.paths)
    stored = max(number, relabeler.stored_trajectories), relabeler.stored_initial_states
    sizes = (tasks, *stored, np.random.default_rng(memory_seed))
    if demonstrations.agent is None:
        dims = env.observation_space.shape[0], env.action_space.shape[0]
        bare = BareNetworks(ContextLayout(*dims), sparse_rewards, relabeler.name)
        networks: HostView = bare
        memory: TaskMemory = BareMemory(bare, *sizes)
    else:
        networks = OysterHost(demonstrations.agent, 0).networks
        memory = TaskMemory(*sizes)
    scorer = Scorer(networks, memory, resolve_hindsight(env, tasks, None, 0), list(tasks), scorer_seed)
    for i, path in enumerate(demonstrations.paths):  # in turn: which task they are of is not said
        memory.collected(tasks[i % len(tasks)], path)
    for task, known in demonstrations.exploring.items():
        for path in known:
            memory.add(task, scorer.context_of(path), np.asarray(path["observations"][0]))
    for task in tasks if demonstrations.agent is not None else ():
        _add_initial_states(memory, scorer, env, task, demonstrations)
    return scorer


def _add_initial_states(
    memory: TaskMemory, scorer: Scorer, env: DemonstratedFamily, task: int, demonstrations: Demonstrations
) -> None:
    """Initial states of a task, by resetting the environment; a task that the agent was not adapted to gets
    a demonstration of any task as its context."""
    some = demonstrations.exploring.get(task, demonstrations.paths[:1])[0]
    for _ in range(min(_INITIAL_STATES, memory.initial_states)):
        env.reset_task(task)
        memory.add(task, scorer.context_of(some), np.asarray(env.reset(), np.float32))
