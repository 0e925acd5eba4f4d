"""Runs that take seconds: their settings, said once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator
from unittest import mock

# of a run by the command line, at the quick preset of a family
RUN: dict[str, Any] = dict(
    n_train_tasks=3,
    n_eval_tasks=2,
    num_initial_steps=20,
    num_tasks_sample=2,
    num_steps_prior=20,
    num_steps_posterior=20,
    num_train_steps_per_itr=3,
    num_evals=1,
    num_steps_per_eval=40,
    meta_batch=2,
    batch_size=8,
    embedding_batch_size=8,
    net_size=8,
)
# of the four-corners command, whose tasks are given
FOUR_CORNERS = [
    "num_iterations=1",
    "num_initial_steps=40",
    "num_tasks_sample=2",
    "num_steps_prior=20",
    "num_steps_posterior=20",
    "num_train_steps_per_itr=2",
    "num_steps_per_eval=40",
    "net_size=8",
    "batch_size=8",
    "embedding_batch_size=8",
]
# of an algorithm that is built in Python
ALGORITHM: dict[str, Any] = dict(
    num_iterations=2,
    num_initial_steps=20,
    num_tasks_sample=3,
    num_steps_prior=20,
    num_steps_posterior=20,
    num_extra_rl_steps_posterior=20,
    num_train_steps_per_itr=4,
    num_evals=1,
    num_steps_per_eval=40,
    max_path_length=10,
    meta_batch=3,
    batch_size=16,
    embedding_batch_size=12,
)


def assignments(**changes: Any) -> list[str]:
    """``key=value`` of `RUN` with these changes."""
    return [f"{key}={value}" for key, value in {**RUN, **changes}.items()]


def options(settings: list[str]) -> list[str]:
    """``--set`` before each ``key=value``."""
    return [part for setting in settings for part in ("--set", setting)]


def with_data(algorithm: Any) -> Any:
    """An algorithm that has collected 20 steps of each training task."""
    for task in algorithm.train_tasks:
        algorithm.collect_data([task], 20)
    return algorithm


@contextmanager
def stopping_after(updates: int) -> Iterator[None]:
    """Within the block, a training stops after the iteration in which it has made so many updates."""
    from rlkit_hfr.pearl.sac import PEARLSoftActorCritic

    training = PEARLSoftActorCritic._do_training

    def stopping(self: Any, indices: list[int]) -> None:
        training(self, indices)
        self.stop_requested = self._n_train_steps_total >= updates

    with mock.patch.object(PEARLSoftActorCritic, "_do_training", stopping):
        yield
