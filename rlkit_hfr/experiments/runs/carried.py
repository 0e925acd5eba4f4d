"""A run of the built-in PEARL: console, checkpoints, and how it ends."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from rlkit_hfr.experiments.programs import command
from rlkit_hfr.experiments.runs.build import attach_relabeler, build_algorithm
from rlkit_hfr.experiments.runs.checkpoint import NAME, restore, save_checkpoint
from rlkit_hfr.experiments.runs.interrupt import graceful_stop
from rlkit_hfr.experiments.runs.journal import write_sums
from rlkit_hfr.experiments.settings.machine import described, machine
from rlkit_hfr.experiments.settings.variant import Variant
from rlkit_hfr.pearl.console import Console
from rlkit_hfr.pearl.evaluation import critic_convergence
from rlkit_hfr.pearl.logger import PROGRESS, LogRow, logger, reopen_logger, setup_logger
from rlkit_hfr.pearl.meta_algorithm import DivergedError
from rlkit_hfr.pearl.writers import make_row_writers
from rlkit_hfr.precision import uses_bfloat16
from rlkit_hfr.signals import pipe_closed
from rlkit_hfr.state import State


class CarriedRun:
    """An algorithm with its relabeler attached.

    `start` or `resume` give it a folder, `train` runs it to its end.
    """

    def __init__(
        self,
        variant: Variant,
        device: torch.device,
        threads: int = 1,
        keep_checkpoint: bool = False,
        log: Iterable[str] | None = None,
    ) -> None:
        """threads: that torch computes on. keep_checkpoint: also when the run is finished.
        log: names of `ROW_WRITERS`; None takes those of the variant.
        """
        self.variant = variant
        self.device = device
        self._keep_checkpoint = keep_checkpoint
        self._writers = make_row_writers(variant.get("log", ()) if log is None else log)
        self._algorithm = build_algorithm(
            variant, device, on_epoch_end=self._iteration_done, callbacks=[Console()]
        )
        self._relabeling = attach_relabeler(self._algorithm, variant)
        self._folder = Path()
        updates = "bf16" if uses_bfloat16(self._algorithm.config.precision, device) else "fp32"
        self.machine = machine(device, threads, updates=updates, scoring=self._relabeling.precision)

    def start(self, folder: Path) -> None:
        """Begin in an empty folder, which no other process may write to."""
        self._folder = folder
        self.variant = {**self.variant, "machine": self.machine}
        setup_logger(folder, self.variant, **self.variant["snapshots"])
        logger.open_writers(self._writers, self.variant)
        logger.log(
            f"Relabeling by {self._relabeling.relabeler.name}, scored in {self.machine['scoring']}; "
            f"on {described(self.machine)}"
        )
        logger.log(self._convergence())
        self._save()

    def _convergence(self) -> str:
        """How far the critic can come in this run, in words."""
        config = self._algorithm.config
        updates = config.num_iterations * config.num_train_steps_per_itr
        share = critic_convergence(updates, config.soft_target_tau, config.discount)
        advice = "" if share >= 0.9 else "; success may come and go: raise soft_target_tau or the updates"
        return f"Critic: {share:.0%} of the way to its fixed point after {updates:,} updates{advice}"

    def resume(self, folder: Path, content: State | None) -> None:
        """Go on in the folder from its checkpoint, or begin there if that is None: the
        run was stopped before it had one. No other process may write to the folder.
        """
        if content is None:
            (folder / PROGRESS).unlink(missing_ok=True)  # a header at most
            self.start(folder)
            return
        self._folder = folder
        reopen_logger(folder, **self.variant["snapshots"])
        restore(content, self._algorithm, self._relabeling)
        logger.open_writers(self._writers, self.variant)
        if self.machine != self.variant.get("machine", self.machine):
            logger.log(f"Going on, now on {described(self.machine)}")

    def _save(self) -> None:
        save_checkpoint(self._folder, self.variant, self._algorithm, self._relabeling, self._keep_checkpoint)

    def _iteration_done(self, row: LogRow) -> None:
        self._save()

    def _request_stop(self) -> None:
        self._algorithm.stop_requested = True

    def train(self) -> int:
        """Run to the end; the exit code of the process: 0, 1 if it diverged or could
        not write, 130 if it was interrupted.
        """
        told = "Finishing this iteration, then writing its row and the checkpoint; once more stops at once."
        try:
            with graceful_stop(self._request_stop, told):
                self._algorithm.train()
        except KeyboardInterrupt:
            return self._stopped("interrupted", 130)
        except DivergedError as error:
            return self._stopped(
                f"{error}; training stopped before that iteration's row, "
                "lower the learning rates or look at the rewards",
                1,
            )
        except (MemoryError, torch.OutOfMemoryError) as error:
            return self._stopped(
                f"out of memory ({str(error).splitlines()[0] if str(error) else 'no more'}); "
                "make room or use smaller networks",
                1,
            )
        except BrokenPipeError:
            return pipe_closed()
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            return self._stopped(
                f"can't write: {error.strerror or error}{where}; make room or allow writing", 1
            )
        finally:
            logger.close()
        if self._algorithm.iterations_done < self._algorithm.num_iterations:
            return self._stopped("interrupted", 130)
        return self._finished()

    def _finished(self) -> int:
        try:
            write_sums(self._folder)
        except OSError as error:
            return self._stopped(f"can't write: {error.strerror or error}; make room or allow writing", 1)
        if not self._keep_checkpoint:
            (self._folder / NAME).unlink(missing_ok=True)
        return 0

    def _stopped(self, why: str, code: int) -> int:
        done, number = self._algorithm.iterations_done, self._algorithm.num_iterations
        print(f"\nStopped after {done} of {number} iterations: {why}.", file=sys.stderr)
        resume = f"{command('train')} --resume {shlex.quote(str(self._folder))}"
        print(f"Go on from the checkpoint with: {resume}", file=sys.stderr)
        return code
