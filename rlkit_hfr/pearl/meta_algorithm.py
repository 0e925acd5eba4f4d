"""PEARL's meta-training loop (Rakelly et al. 2019, algorithm 1): collect, update, evaluate, log."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import gtimer as gt
import numpy as np
import torch

from rlkit_hfr.pearl.agent import PEARLAgent
from rlkit_hfr.pearl.callbacks import Callback, own_log
from rlkit_hfr.pearl.collection import Collector
from rlkit_hfr.pearl.config import MetaRLConfig, Settings
from rlkit_hfr.pearl.console import Console
from rlkit_hfr.pearl.evaluation import adaptation_statistics, critic_convergence, path_return
from rlkit_hfr.pearl.logger import LogRow, logger
from rlkit_hfr.protocols import TaskEnv
from rlkit_hfr.state import State

T = TypeVar("T")
Task = TypeVar("Task", bound=Hashable)


class DivergedError(ArithmeticError):
    """A loss was NaN or infinite."""


def _ignore(row: LogRow) -> None:
    pass


class MetaRLAlgorithm(Collector):
    """The loop around the updates, and its log."""

    def __init__(
        self,
        env: TaskEnv,
        agent: PEARLAgent,
        train_tasks: Sequence[int],
        eval_tasks: Sequence[int],
        config: MetaRLConfig,
        seed: int,
        on_epoch_end: Callable[[LogRow], None] = _ignore,
        callbacks: Sequence[Callback] | None = None,
        log_dir: str | Path | None = "output",
        log_settings: Settings | None = None,
    ) -> None:
        """seed: of the tasks drawn, the buffers' batches and the environments; torch's
            global generator drives the networks.

        on_epoch_end: called with each row of progress.csv once it is written. callbacks:
        told of the training after it; None shows it on the console, () keeps silent.
        log_dir: where `train` makes its log folder if the logger has none; None for no
        log. log_settings: what its variant.json says besides, such as env_name.
        """
        super().__init__(env, agent, train_tasks, eval_tasks, config, seed)
        self.on_epoch_end = on_epoch_end
        self.callbacks: list[Callback] = [Console()] if callbacks is None else list(callbacks)
        self.log_dir = log_dir
        self.log_settings = dict(log_settings or {})
        self.log_state: tuple[Path, State] | None = None  # of the log that `train` began
        self.num_iterations = config.num_iterations
        self.eval_statistics: LogRow | None = None
        self._n_train_steps_total = 0
        self._old_table_keys: set[str] | None = None
        self._previous_eval_time = 0.0
        self._seconds_before = 0.0
        self.iterations_done = 0
        self.stop_requested = False

    def train(self) -> None:
        """Meta-train for `num_iterations`, from where a restored state left off; one row
        of progress.csv each.

        Setting `stop_requested` ends it after the current iteration. Raises
        DivergedError at a loss that is not finite, before its row.
        """
        with own_log(self):
            try:
                for callback in self.callbacks:
                    callback.on_start(self)
                self._train()
            finally:
                for callback in self.callbacks:
                    callback.on_end(self)

    @property
    def log_folder(self) -> Path | None:
        """Of the log that `train` made by itself."""
        return None if self.log_state is None else self.log_state[0]

    def _progress(self, items: Iterable[T], phase: str) -> Iterable[T]:
        for callback in self.callbacks:
            items = callback.progress(items, phase)
        return items

    def _train(self) -> None:
        config = self.config
        if self.iterations_done == 0:
            logger.save_itr_params(-1, self.get_epoch_snapshot(-1))
        gt.reset_root()  # unlike gt.reset, also after a run that an exception ended in mid-loop
        gt.set_def_unique(False)
        for iteration in gt.timed_for(range(self.iterations_done, config.num_iterations), save_itrs=True):
            started = time.time()
            logger.push_prefix(f"Iteration #{iteration} | ")
            self.training_mode(True)
            if iteration == 0:
                groups = [
                    self.train_tasks[i : i + config.num_envs]
                    for i in range(0, len(self.train_tasks), config.num_envs)
                ]
                for tasks in self._progress(groups, "initial data"):
                    self.collect_data(tasks, config.num_initial_steps, stickiness=config.initial_stickiness)
            visits = [
                self.train_tasks[i]
                for i in self.rng.integers(len(self.train_tasks), size=config.num_tasks_sample)
            ]
            for tasks in self._progress(rounds_of_distinct(visits), "collect"):
                self._visit(tasks)
            gt.stamp("sample")
            for _ in self._progress(range(config.num_train_steps_per_itr), "update"):
                self._do_training(self.rng.choice(self.train_tasks, config.meta_batch).tolist())
                self._n_train_steps_total += 1
            self.check_losses(iteration)
            gt.stamp("train")
            self.training_mode(False)
            row = self._try_to_eval(iteration)
            gt.stamp("eval")
            self._previous_eval_time = gt.get_times().stamps.itrs["eval"][-1]
            logger.log(f"Epoch Duration: {time.time() - started}")
            logger.pop_prefix()
            self.iterations_done = iteration + 1
            self.on_epoch_end(row)
            for callback in self.callbacks:
                callback.on_iteration(self, row)
            if self.stop_requested:
                break

    def _try_to_eval(self, epoch: int) -> LogRow:
        self.evaluate(epoch)
        logger.save_itr_params(epoch, self.get_epoch_snapshot(epoch))
        table_keys = logger.get_table_key_set()
        assert self._old_table_keys in (
            None,
            table_keys,
        ), "Table keys cannot change from iteration to iteration."
        self._old_table_keys = table_keys
        logger.record_tabular("Number of train steps total", self._n_train_steps_total)
        logger.record_tabular("Number of env steps total", self._n_env_steps_total)
        logger.record_tabular("Number of rollouts total", self._n_rollouts_total)
        stamps = gt.get_times().stamps.itrs
        train_time, sample_time = stamps["train"][-1], stamps["sample"][-1]
        eval_time = self._previous_eval_time
        logger.record_tabular("Train Time (s)", train_time)
        logger.record_tabular("(Previous) Eval Time (s)", eval_time)
        logger.record_tabular("Sample Time (s)", sample_time)
        logger.record_tabular("Epoch Time (s)", train_time + sample_time + eval_time)
        logger.record_tabular("Total Train Time (s)", self._seconds_before + gt.get_times().total)
        logger.record_tabular("Epoch", epoch)
        return logger.dump_tabular()

    def evaluate(self, epoch: int) -> None:
        """Returns and success rates on training and test tasks, into the row of the epoch.

        Training tasks are evaluated twice: with the posterior of their stored context,
        and by adapting like on a test task.
        """
        statistics = {} if self.eval_statistics is None else self.eval_statistics
        number = self.config.num_train_tasks_eval or len(self.eval_tasks)
        some_train_tasks = self.rng.choice(self.train_tasks, number).tolist()
        statistics["AverageTrainReturn_all_train_tasks"] = self._return_from_stored_context(some_train_tasks)
        statistics |= adaptation_statistics(
            self.agent, self.sampler, some_train_tasks, self.eval_tasks, self.config
        )
        statistics["Critic Convergence"] = critic_convergence(
            self._n_train_steps_total, self.config.soft_target_tau, self.discount
        )
        statistics["Z mean eval"] = float(self.agent.z_means[0].abs().mean())
        statistics["Z variance eval"] = float(self.agent.z_vars[0].mean())
        logger.record_dict(statistics)
        self.eval_statistics = None

    @torch.no_grad()
    def _return_from_stored_context(self, tasks: Sequence[int]) -> float:
        returns = []
        for _ in range(max(1, self.config.num_steps_per_eval // self.max_path_length)):
            self._infer_from_stored_context(tasks)
            paths = self.sampler.obtain_paths(tasks, deterministic=self.config.eval_deterministic)
            returns += [path_return(path, self.sparse_rewards) for path in paths]
        return float(np.mean(returns))

    @abc.abstractmethod
    def _do_training(self, indices: Sequence[int]) -> None:
        """One gradient update on a meta-batch of tasks."""

    @abc.abstractmethod
    def check_losses(self, iteration: int) -> None:
        """Raise DivergedError if a loss of the iteration's updates was not finite."""

    @abc.abstractmethod
    def training_mode(self, mode: bool) -> None: ...

    @abc.abstractmethod
    def get_epoch_snapshot(self, epoch: int) -> State: ...

    def state_dict(self) -> State:
        """Everything but the networks that the next iteration depends on, between two iterations."""
        keys = self._old_table_keys
        return dict(
            **super().state_dict(),
            iterations_done=self.iterations_done,
            train_steps=self._n_train_steps_total,
            table_keys=None if keys is None else sorted(keys),
            previous_eval_time=self._previous_eval_time,
            seconds=self._seconds_before + float(gt.get_times().total),
        )

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.iterations_done = state["iterations_done"]
        self._n_train_steps_total = state["train_steps"]
        self._old_table_keys = None if state["table_keys"] is None else set(state["table_keys"])
        self._previous_eval_time = state["previous_eval_time"]
        self._seconds_before = state["seconds"]


def rounds_of_distinct(tasks: Sequence[Task]) -> list[list[Task]]:
    """Split visits into rounds without repeats, keeping their order: a task drawn twice is
    visited again in the next round.
    """
    rounds: list[list[Task]] = []
    times: dict[Task, int] = {}
    for task in tasks:
        turn = times.get(task, 0)
        times[task] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(task)
    return rounds
