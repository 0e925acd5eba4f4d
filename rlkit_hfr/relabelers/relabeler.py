"""What a relabeler is: a pure answer to "to which task does this path go?"."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.checks import non_negative, one_of, positive_int, weights
from rlkit_hfr.distribution import relabel_probs
from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.normalisers import NORMALISERS, estimate_log_z
from rlkit_hfr.state import State

if TYPE_CHECKING:
    from rlkit_hfr.scoring.host_view import HostView
    from rlkit_hfr.scoring.scorer import Scorer


@dataclass(frozen=True, eq=False)
class RelabelDecision:
    """Where one path goes.

    tasks: the new task, a tuple of distinct ones that all get the path, or an array
    (T,) with the task of each transition; probs: (K,) the distribution it was sampled
    from, averaged over the transitions for a per-transition method; utilities,
    log_partition: (K,), NaN where the method has none.
    """

    tasks: int | tuple[int, ...] | np.ndarray
    probs: np.ndarray
    utilities: np.ndarray
    log_partition: np.ndarray

    @property
    def per_transition(self) -> bool:
        return isinstance(self.tasks, np.ndarray) and self.tasks.ndim == 1


class Relabeler(abc.ABC):
    """Decides for batches of paths. It touches no buffer, environment, logger or plot."""

    name: str
    needs_value = False  # whether it asks for the target value V(s, z), which not every host has
    needs_goals = False  # whether it asks for distances to goals, which not every environment has
    needs_vectors = False  # whether it asks for rewards of task vectors, which not every environment has
    per_transition = False  # whether it sends single transitions to tasks of their own
    instead_of_goals = ""  # what else can be done where there are none, in words
    # whether rounding the networks' outputs moves its choice far less than its own
    # draws do
    bfloat16_suffices = False
    stored_trajectories = 20  # how many trajectories of each task it wants kept
    stored_initial_states = 1  # how many initial states of each task it wants kept

    @abc.abstractmethod
    def decide(
        self, paths: Sequence[PathDict], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        """One decision per path. source_tasks: the task each path was collected for."""

    def check_host(self, networks: HostView, tasks: Sequence[int]) -> None:  # noqa: B027 (most take any)
        """ValueError if it can't serve these training tasks, or asks of the networks what they can't."""

    def begin_iteration(self, iteration: int) -> None:  # noqa: B027 (most methods do not change with time)
        """Told of each iteration, 1, 2, ..., before the first path that is collected after an update."""

    def state_dict(self) -> State:
        """What a method remembers between iterations, for a checkpoint."""
        return {}

    def load_state_dict(self, state: State) -> None:  # noqa: B027 (most methods remember nothing)
        pass

    def observe(self, paths: Sequence[PathDict], scorer: Scorer) -> None:  # noqa: B027 (most methods need not know)
        """Told of every path that is collected, offered for relabeling or not, after the decisions on it."""


REWARDS = 0.3  # the default temperature: docs/quality.md


class TrajectoryRelabeler(Relabeler):
    """Samples one task per path from q(psi|tau) (HFR eq. 8); a method is the utility that it puts into it."""

    def __init__(
        self,
        *,
        num_partition_samples: int = 20,
        temperature: float | None = None,
        normaliser: str = "pooled-mean",
        tasks_per_path: int = 1,
        prior: Sequence[float] | None = None,
    ) -> None:
        """num_partition_samples: M, the trajectories that log Z is taken over; temperature: of the
        softmax and of log Z, in units of the utility, 0 for the hard-max, None for `REWARDS` unscaled
        rewards; normaliser: the estimator of log Z, one of `NORMALISERS`; tasks_per_path: distinct
        tasks that get each path, drawn one after the other without replacement; prior: p(psi), a
        weight of each candidate task, in their order, None for uniform: as it is at the default
        temperature; its logarithm is divided by a temperature that is given, like the utility."""
        self.tasks_per_path = positive_int("tasks_per_path", tasks_per_path)
        self.num_partition_samples = positive_int("num_partition_samples", num_partition_samples)
        self.temperature = None if temperature is None else non_negative("temperature", temperature)
        self.prior = None if prior is None else weights("prior", prior)
        self.reward_scale = 1.0  # of the critic, told with every decision
        self.normaliser = one_of("normaliser", normaliser, NORMALISERS)
        self.stored_trajectories = self.num_partition_samples

    @property
    def softmax_temperature(self) -> float:
        """The temperature in use, in units of the utility."""
        return default_temperature(self.reward_scale) if self.temperature is None else self.temperature

    @abc.abstractmethod
    def utilities(self, paths: Sequence[PathDict], scorer: Scorer) -> Tensor:
        """U_psi(tau) of every path under every candidate task: (N, K)."""

    @abc.abstractmethod
    def sampled_utilities(self, samples: str, scorer: Scorer) -> Tensor:
        """Utilities of `num_partition_samples` samples of each task, (M, K). samples: "pooled",
        "contexts" or "trajectories"."""

    def log_partition(self, scorer: Scorer) -> Tensor | None:
        """log Z of every candidate task, (K,), kept while the networks do not change; None for 0."""

        def utilities_of(samples: str) -> Tensor:
            utilities: Tensor = scorer.once(
                "sampled_utilities", lambda: self.sampled_utilities(samples, scorer)
            )
            return utilities

        self.reward_scale = scorer.networks.reward_scale
        return estimate_log_z(self.normaliser, self.softmax_temperature, utilities_of)

    def distribution(self, utilities: Tensor, log_z: Tensor | None) -> Tensor:
        """q(psi|tau) from utilities (N, K) and log Z (K,) or None: (N, K)."""
        used, prior = self.softmax_temperature, self.log_prior(utilities)
        return relabel_probs(utilities, log_z, used, prior, used if self.temperature is None else 1.0)

    def check_host(self, networks: HostView, tasks: Sequence[int]) -> None:
        self._check_prior(len(tasks))

    def _check_prior(self, number: int) -> None:
        if self.prior is not None and len(self.prior) != number:
            raise ValueError(
                f"prior must have a weight of each of the {number} candidate tasks, got {len(self.prior)}"
            )

    def log_prior(self, utilities: Tensor) -> Tensor | None:
        """log p(psi) of the K tasks that the utilities (N, K) are of, -inf where it is 0; None for uniform.
        ValueError unless there are K weights."""
        if self.prior is None:
            return None
        self._check_prior(utilities.shape[1])
        return torch.as_tensor(self.prior, dtype=torch.float64, device=utilities.device).log()

    def decide(
        self, paths: Sequence[PathDict], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        utilities, log_z = self.utilities(paths, scorer), self.log_partition(scorer)
        probs = to_numpy(self.distribution(utilities, log_z))
        tasks = scorer.candidate_tasks
        chosen = [several(tasks, row) for row in sample_distinct(probs, self.tasks_per_path, rng)]
        values = to_numpy(utilities)
        normaliser = np.full(len(tasks), np.nan) if log_z is None else to_numpy(log_z)
        return [RelabelDecision(new, p, u, normaliser) for new, p, u in zip(chosen, probs, values)]


def default_temperature(reward_scale: float) -> float:
    """`REWARDS` unscaled rewards in the units of a critic that is trained on scaled ones, so that a host's
    reward scale does not decide how hard the choice is."""
    return REWARDS * reward_scale


def check_latents(latent: str, num_latents: int) -> None:
    """ValueError where samples are asked for of what is no sample."""
    if latent == "mean" and num_latents > 1:
        raise ValueError(
            f'num_latents must be 1 where latent is "mean", got {num_latents}; there is one mean'
        )


def to_numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float64).numpy()


def sample_rows(probs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One index per row of a (rows, K) array of distributions."""
    below = np.cumsum(probs, axis=1)
    return np.minimum((below <= rng.random((len(probs), 1)) * below[:, -1:]).sum(axis=1), probs.shape[1] - 1)


def sample_distinct(probs: np.ndarray, number: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Per row of a (rows, K) array of distributions, up to `number` distinct indices,
    drawn one after the other without replacement.

    Where fewer have any mass, there are fewer.
    """
    if number == 1:
        return list(sample_rows(probs, rng)[:, None])
    with np.errstate(divide="ignore"):
        # the order of the keys is that of such draws (Gumbel-top-k)
        keys = np.log(probs) + rng.gumbel(size=probs.shape)
    order = np.argsort(-keys, axis=1)[:, :number]
    return [row[probs[i, row] > 0.0] for i, row in enumerate(order)]


def several(tasks: Sequence[int], chosen: np.ndarray) -> int | tuple[int, ...]:
    """The tasks at the chosen places: one by itself, more as a tuple."""
    return tasks[chosen[0]] if len(chosen) == 1 else tuple(tasks[k] for k in chosen)


def all_stay(source_tasks: Sequence[int], tasks: Sequence[int]) -> list[RelabelDecision]:
    """Decisions by which every path stays with its source task, one of the K `tasks`."""
    unknown = np.full(len(tasks), np.nan)
    return [
        RelabelDecision(task, np.eye(len(tasks))[tasks.index(task)], unknown, unknown)
        for task in source_tasks
    ]
