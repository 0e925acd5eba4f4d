"""`attach`: the one line that makes a PEARL algorithm relabel."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from rlkit_hfr.buffers.router import RelabelingRouter
from rlkit_hfr.buffers.sampled_batches import SampledBatches
from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.buffers.training_context import TrainingContext
from rlkit_hfr.checks import one_of, whole
from rlkit_hfr.hosts.errors import UnsupportedHost
from rlkit_hfr.hosts.families import find_host
from rlkit_hfr.hosts.half_precision import compute_in
from rlkit_hfr.hosts.install import Host
from rlkit_hfr.precision import check_precision
from rlkit_hfr.protocols import HostAlgorithm
from rlkit_hfr.relabelers import Relabeler, make_relabeler, relabeler_options
from rlkit_hfr.relabelers.sampling import SamplingRelabeler
from rlkit_hfr.rewards.hindsight import AFTER_TERMINAL, Hindsight
from rlkit_hfr.rewards.resolve import MODEL, resolve_hindsight
from rlkit_hfr.scoring.path_rewards import NO_GOALS, NO_VECTORS
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory
from rlkit_hfr.state import State


class Relabeling:
    """A relabeler at work on an algorithm."""

    def __init__(
        self,
        host: Host,
        router: RelabelingRouter,
        context: TrainingContext,
        sampled: SampledBatches | None = None,
    ) -> None:
        self._host = host
        self._router = router
        self._context = context
        self._sampled = sampled

    def __repr__(self) -> str:
        router, figures = self._router, self.statistics
        settings = f"relabel_fraction={router.relabel_fraction:g}, keep_original={router.keep_original}"
        where = f"{type(self._host.algorithm).__name__}, {len(router.scorer.candidate_tasks)} training tasks"
        counts = f"{figures['relabel/paths relabeled']:.0f} of {figures['relabel/paths seen']:.0f}"
        state = f"{counts} paths of this iteration relabeled" if self._host.installed else "detached"
        return f"<Relabeling by {_described(router.relabeler)}, {settings}, on {where}; {state}>"

    @property
    def relabeler(self) -> Relabeler:
        return self._router.relabeler

    @property
    def scorer(self) -> Scorer:
        """What the relabeler asks of the algorithm: latents, initial states and networks,
        for looking into its decisions.
        """
        return self._router.scorer

    @property
    def precision(self) -> str:
        """Of the matrix products of scoring, "bf16" or "fp32": what "auto" came to."""
        return self._host.networks.precision

    @property
    def statistics(self) -> dict[str, float]:
        """The ``relabel/`` figures of the row of the log that is being collected, or of
        the last one until the next path.
        """
        return self._router.statistics.columns()

    def state_dict(self) -> State:
        """Everything that relabeling goes on from, between two iterations, for
        ``torch.save``; a host whose buffers have no `state_dict` can't.
        """
        return dict(
            router=self._router.state_dict(),
            context=self._context.state_dict(),
            networks=self._host.networks.state_dict(),
            sampled=None if self._sampled is None else self._sampled.state_dict(),
        )

    def load_state_dict(self, state: State) -> None:
        """Go on from a `state_dict` of the same relabeler on the same algorithm, whose own
        networks and buffers have been restored.
        """
        self._host.networks.load_state_dict(state["networks"])
        self._router.load_state_dict(state["router"])
        self._context.load_state_dict(state["context"])
        if self._sampled is not None:
            self._sampled.load_state_dict(state["sampled"])

    def detach(self) -> None:
        """Give the algorithm back as it was. What was relabeled into its RL buffer stays
        there. A second call does nothing.
        """
        self._host.remove()


def _described(relabeler: Relabeler) -> str:
    """The name, and the options that the relabeler keeps under their own names."""
    names = [name for name in relabeler_options(type(relabeler)) if hasattr(relabeler, name)]
    return f"{relabeler.name}({', '.join(f'{name}={getattr(relabeler, name)!r}' for name in names)})"


def attach(
    algorithm: HostAlgorithm,
    relabeler: str | Relabeler | type[Relabeler] | None = "hfr",
    *,
    rewards: Callable[..., object] | str | None = None,
    relabel_fraction: float = 0.5,
    keep_original: bool = False,
    relabel_into: str = "both",
    stale_context: str = "drop",
    after_terminal: str = "keep",
    original_contexts: float = 0.0,
    precision: str = "fp32",
    seed: int | None = None,
    host: str | None = None,
    **relabeler_options: Any,
) -> Relabeling:
    """Share experience between the training tasks of `algorithm`, which is not edited,
    from now until `detach`.

    relabeler: a name of `RELABELERS`, a class, an instance, or None for "none".
    rewards: hindsight rewards (path, tasks) -> (rewards, terminals[, sparse_rewards]),
    each (K, T); None takes the environment's own; a `VectorRewards` has those of task vectors
    as well; "learned" trains a model of them on what is collected, from the tasks' vectors;
    "model" one that infers each task from its data by gradient steps, the algorithm's own
    where it has one (MIER).
    relabel_fraction: chance that a path is relabeled; with a method that relabels as batches are sampled,
    that a sampled transition is. keep_original: also store it under its own task.
    relabel_into: what trains on relabeled paths: "rl" (the critic and the policy), "context" (the
    encoder) or "both". original_contexts: share of the training contexts that are drawn from the
    task's originals alone.
    stale_context: "drop" or "keep" the originals of a task that got relabeled paths but
        no visit in an iteration.
    after_terminal: "keep" or "drop" the steps of a relabeled path after the step that ends an
        episode of its new task.
    precision: of scoring's matrix products: "fp32", "bf16", or "auto": bf16 for the
    methods that it suffices for (hfr) on CPUs made for it, where it takes half the
    time; choose "fp32" for runs that shall repeat on another kind of CPU.
    seed: of the relabeling's own random generators; None draws one from the operating
        system. host: name the adapter instead of finding it.
    relabeler_options: keyword options of the relabeler.

    Raises ValueError before anything is changed if the algorithm, the rewards or an
    option can't be served.
    """
    chosen = make_relabeler(relabeler, **relabeler_options)
    memory_seed, scorer_seed, router_seed, context_seed, host_seed, rewards_seed, sampled_seed = (
        np.random.SeedSequence(None if seed is None else whole("seed", seed)).spawn(7)
    )
    check_precision(precision)
    adapter = find_host(algorithm, host)(algorithm, _number(host_seed))
    _prepare(adapter, chosen, precision)
    _check_roles(adapter, chosen, relabel_into, original_contexts)
    hindsight = replace(
        _hindsight(adapter, chosen, rewards, _number(rewards_seed)),
        after_terminal=one_of("after_terminal", after_terminal, AFTER_TERMINAL),
    )
    tasks = adapter.train_tasks
    memory = TaskMemory(
        tasks,
        num_trajectories=chosen.stored_trajectories,
        num_initial_states=chosen.stored_initial_states,
        rng=np.random.default_rng(memory_seed),
    )
    scorer = Scorer(adapter.networks, memory, hindsight, tasks, scorer_seed)
    statistics = RelabelStatistics(tasks)
    router = RelabelingRouter(
        chosen,
        scorer,
        statistics,
        np.random.default_rng(router_seed),
        relabel_fraction,
        keep_original,
        relabel_into,
    )
    buffers = algorithm.enc_replay_buffer.task_buffers
    if any(buffers[task].num_steps_can_sample() for task in tasks if task in buffers):
        warnings.warn(
            "the buffers hold data already: relabeling begins when every training task has got a new path",
            stacklevel=2,
        )
    context_rng = np.random.default_rng(context_seed)
    context = TrainingContext(buffers, context_rng, stale_context, adapter.one_buffer, original_contexts)
    sampled = None
    if isinstance(chosen, SamplingRelabeler):
        sampled_rng = np.random.default_rng(sampled_seed)
        sampled = SampledBatches(chosen, scorer, statistics, sampled_rng, router.relabel_fraction)
    adapter.install(router, context, statistics, sampled)
    return Relabeling(adapter, router, context, sampled)


def _number(seed: np.random.SeedSequence) -> int:
    return int(seed.generate_state(1)[0])


def _prepare(adapter: Host, relabeler: Relabeler, precision: str) -> None:
    """Let the host's networks be called as the relabeler does. ValueError where they can't be."""
    relabeler.check_host(adapter.networks, adapter.train_tasks)
    if relabeler.needs_value:
        adapter.networks.require_value(relabeler.name)
    in_single = precision == "auto" and not relabeler.bfloat16_suffices
    compute_in(adapter.networks, "fp32" if in_single else precision, relabeler.needs_value)


def _hindsight(
    adapter: Host, relabeler: Relabeler, rewards: Callable[..., object] | str | None, seed: int
) -> Hindsight:
    """What can be said of recorded paths. ValueError if the relabeler needs more."""
    own_model = adapter.reward_model if rewards == MODEL else None
    hindsight = resolve_hindsight(adapter.env, adapter.train_tasks, rewards, seed, own_model)
    if relabeler.needs_goals and hindsight.goal_distances is None:
        other_way = f", {relabeler.instead_of_goals}" if relabeler.instead_of_goals else ""
        raise ValueError(f"relabeler {relabeler.name!r}: {NO_GOALS}{other_way}")
    if relabeler.needs_vectors and hindsight.vectors is None:
        given = " (rewards= has none of task vectors: leave it out)" if rewards is not None else ""
        raise ValueError(f"relabeler {relabeler.name!r}: {NO_VECTORS}{given}")
    return hindsight


def _check_roles(adapter: Host, relabeler: Relabeler, relabel_into: str, original_contexts: float) -> None:
    """ValueError where relabeled data would get into neither buffer, or into another than was asked for."""
    of_batches, name = isinstance(relabeler, SamplingRelabeler), relabeler.name
    if adapter.one_buffer:
        asked = {
            repr(name): of_batches,
            f"relabel_into={relabel_into!r}": relabel_into != "both",
            f"original_contexts={original_contexts}": original_contexts != 0.0,
        }
        needs_two = " and ".join(option for option, given in asked.items() if given)
        if needs_two:
            raise UnsupportedHost(
                f"got {type(adapter.algorithm).__name__} with one buffer in both roles, where an RL batch"
                f" can't be told from a context; {needs_two} needs two buffers; choose otherwise"
            )
    if relabel_into != "context":
        return
    if of_batches:
        raise ValueError(
            f"relabel_into must be both or rl with {name!r}, which relabels RL batches alone, got 'context'"
        )
    if relabeler.per_transition and getattr(adapter.networks, "in_order", False):
        raise ValueError(
            f"relabel_into must be both or rl with {name!r} and an encoder that reads in order, for which"
            " single transitions are no sequence, got 'context'"
        )
