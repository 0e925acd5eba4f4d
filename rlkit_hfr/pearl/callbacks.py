"""What is told of a training while it goes on, and the log that a training from Python keeps
by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rlkit_hfr.pearl.logger import LogRow, create_log_dir, logger, reopen_logger, setup_logger

if TYPE_CHECKING:
    from rlkit_hfr.pearl.meta_algorithm import MetaRLAlgorithm

T = TypeVar("T")


class Callback:
    """Told of a training: override what you need. Setting `algorithm.stop_requested` ends
    the training after the iteration.
    """

    def on_start(self, algorithm: MetaRLAlgorithm) -> None:
        """Before the first iteration, or before the next one of a training that goes on."""

    def progress(self, items: Iterable[T], phase: str) -> Iterable[T]:
        """The items of a phase of an iteration, one after the other: "initial data",
        "collect" or "update".
        """
        return items

    def on_iteration(self, algorithm: MetaRLAlgorithm, row: LogRow) -> None:
        """After an iteration, with its row of progress.csv."""

    def on_end(self, algorithm: MetaRLAlgorithm) -> None:
        """After the last iteration, or when an exception ends the training."""


def recorded_settings(algorithm: MetaRLAlgorithm) -> dict[str, object]:
    """What variant.json says of a training from Python."""
    return {
        "env_name": type(algorithm.env).__name__,
        "relabeler": "none",
        "seed": algorithm.seed,
        "n_train_tasks": len(algorithm.train_tasks),
        "n_eval_tasks": len(algorithm.eval_tasks),
        "latent_size": algorithm.agent.latent_dim,
        "algo_params": dataclasses.asdict(algorithm.config),
        **algorithm.log_settings,
    }


@contextmanager
def own_log(algorithm: MetaRLAlgorithm) -> Iterator[None]:
    """Within the block the process's logger writes into a folder of the algorithm's own
    below its `log_dir`, unless the logger has a folder already or there is no `log_dir`.
    """
    if logger.get_snapshot_dir() is not None or algorithm.log_dir is None:
        yield
        return
    if algorithm.log_state is None:
        settings = recorded_settings(algorithm)
        name = f"{settings['env_name']}_{settings['relabeler']}"
        folder = create_log_dir(Path(algorithm.log_dir).absolute(), name, algorithm.seed)
        setup_logger(folder, settings)
    else:
        folder, state = algorithm.log_state
        reopen_logger(folder)
        logger.load_state_dict(state)
    try:
        yield
    finally:
        algorithm.log_state = folder, logger.state_dict()
        logger.reset()
