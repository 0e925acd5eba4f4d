"""A comparison: jobs are started, watched and stopped, and shown while they run."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, Generic

from rich.console import Console
from rich.live import Live
from rich.table import Table

from rlkit_hfr.experiments.programs import command
from rlkit_hfr.experiments.runs.folders import alone_in, is_locked
from rlkit_hfr.experiments.runs.interrupt import graceful_stop
from rlkit_hfr.experiments.sweeps.executors import (
    Executor,
    Handle,
    LocalProcesses,
    RayTasks,
    SlurmJobs,
    default_slots,
    let_children_import,
)
from rlkit_hfr.experiments.sweeps.jobs import (
    Job,
    Launch,
    check_builds,
    finished,
    grid,
    last_words,
    progress_of,
)
from rlkit_hfr.experiments.sweeps.resources import Resources, chosen_seeds, resources_of, visible_gpus
from rlkit_hfr.files import open_plain, write_text
from rlkit_hfr.pearl.console import duration
from rlkit_hfr.signals import pipe_closed, raise_on_interrupt

COMMANDS = "compare.json"
_POLL_SECONDS = 1.0
_MOST_BYTES = 10_000_000


def compare(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Run the comparison that `args` ask for; returns the exit code. argv: what was
    typed, for the record.
    """
    if args.jobs is not None and args.jobs < 1:
        raise ValueError(f"--jobs must be positive, got {args.jobs}")
    if not 0.0 < args.hours <= 24 * 365:
        raise ValueError(f"--hours must be positive and at most a year, got {args.hours}")
    log_dir = args.log_dir.absolute()
    config = None if args.config is None else args.config.absolute()
    seeds, resources = chosen_seeds(args), resources_of(args)
    host_path = None if args.host_path is None else args.host_path.absolute()
    launch = Launch(device=resources.device, host=args.host, host_path=host_path, log=tuple(args.log or ()))
    jobs = grid(args.env, args.relabelers, seeds, args.assignments, args.preset, config, log_dir, launch)
    if len({job.folder for job in jobs}) < len(jobs):
        raise ValueError("an environment, relabeler or setting was given twice")
    for job in jobs:
        job.check()
    check_builds(jobs)
    _known_commands(log_dir)
    let_children_import()
    executor = _executor(args, log_dir, resources)
    raise_on_interrupt()
    try:
        _prepare(log_dir, f"{command('compare')} {shlex.join(argv)}")
        code = Comparison(jobs, executor).run()
    finally:
        executor.close()
    print(f"Figures and a report: {command('plot')} {shlex.quote(str(args.log_dir))}")
    return code


def _prepare(log_dir: Path, command: str) -> None:
    """Make the folder and note the command; what was made is removed if one fails."""
    made = [folder for folder in (log_dir, *log_dir.parents) if not folder.exists()]
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        _note_command(log_dir, command)
    except BaseException:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise


def _note_command(log_dir: Path, command: str) -> None:
    """Add the command to those by which the folder's runs were made."""
    with alone_in(log_dir, "starting a comparison"):
        known = _known_commands(log_dir)
        text = json.dumps({"commands": [*known, *([] if command in known else [command])]}, indent=2)
        write_text(log_dir / COMMANDS, text + "\n")


def _known_commands(log_dir: Path) -> list[str]:
    """ValueError if the file is there and is not what this writes."""
    file = log_dir / COMMANDS
    try:
        with open_plain(file, _MOST_BYTES) as opened:
            content = json.loads(opened.read())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ValueError(
            f"can't read {file}: {error.strerror}; remove it, or give another --log-dir"
        ) from None
    except (ValueError, RecursionError):
        content = None
    known = content.get("commands") if isinstance(content, dict) else None
    if not isinstance(known, list) or not all(isinstance(item, str) for item in known):
        raise ValueError(
            f"{file} must hold the commands of earlier comparisons as a JSON list of strings, and does not; "
            "remove it, or give another --log-dir"
        )
    return known


def _executor(args: argparse.Namespace, log_dir: Path, resources: Resources) -> Executor[Any]:
    if args.ray is not None:
        return RayTasks(args.ray, resources)
    if args.slurm is not None:
        return SlurmJobs(args.slurm, args.hours, log_dir, resources)
    gpus = visible_gpus() if resources.device == "cuda" else []
    return LocalProcesses(args.jobs or len(gpus) or default_slots(), gpus)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich's own would end the process, and the runs would go on alone


class Comparison(Generic[Handle]):
    """Runs jobs to their ends and shows how far they are."""

    def __init__(self, jobs: Sequence[Job], executor: Executor[Handle]) -> None:
        self._jobs = list(jobs)
        self._executor = executor
        self._state: dict[Job, str] = {job: "finished" if finished(job) else "waiting" for job in jobs}
        self._totals = {job: job.variant()["algo_params"]["num_iterations"] for job in jobs}
        self._handles: dict[Job, Handle] = {}
        self._started: dict[Job, tuple[float, int]] = {}
        self._stopping = False
        self._console = _Console(soft_wrap=True, width=None if sys.stdout.isatty() else 140)

    def run(self) -> int:
        """0 if all are finished, 1 if some failed, 130 if it was interrupted."""
        kept = sum(state == "finished" for state in self._state.values())
        self._console.print(f"{len(self._jobs)} runs, {kept} finished already", highlight=False)
        told = "Every run finishes its iteration and writes its checkpoint; once more kills them."
        live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else nullcontext()
        try:
            with graceful_stop(self._stop, told), live as shown:
                while self._turn():
                    if shown is not None:
                        shown.update(self.table(), refresh=True)
                    time.sleep(_POLL_SECONDS)
                if shown is not None:
                    shown.update(self.table(), refresh=True)
        except BrokenPipeError:  # nobody looks any more
            self._stop()
            return pipe_closed()
        except KeyboardInterrupt:
            for handle in self._handles.values():
                self._executor.stop(handle, at_once=True)
            self._stopping = True
        except BaseException:
            self._stop()  # nobody would know of the runs
            raise
        if not self._console.is_terminal:
            self._console.print(self.table())
        failed = [job for job in self._jobs if self._state[job] == "failed"]
        for job in failed:
            self._console.print(f"failed: {job.folder}: {last_words(job)}", highlight=False, markup=False)
        if self._stopping:
            print("Interrupted; the same command goes on.", file=sys.stderr)
            return 130
        return 1 if failed else 0

    def _stop(self) -> None:
        self._stopping = True
        for handle in self._handles.values():
            self._executor.stop(handle, at_once=False)

    def _turn(self) -> bool:
        """Note what has ended, start what may start; whether anything is left to wait
        for.
        """
        for job, handle in list(self._handles.items()):
            if self._executor.poll(handle) is not None:
                del self._handles[job]
                self._change(job, self._outcome(job))
        if not self._stopping:
            self._look_elsewhere()
        for job in self._jobs:
            slots = self._executor.slots
            if (
                self._state[job] == "waiting"
                and not self._stopping
                and (slots is None or len(self._handles) < slots)
            ):
                self._started[job] = time.monotonic(), progress_of(job).rows
                self._handles[job] = self._executor.submit(job)
                self._change(job, "running" if slots is not None else "queued")
        for job in self._handles:
            if self._state[job] == "queued" and progress_of(job).rows > self._started[job][1]:
                self._started[job] = (
                    time.monotonic(),
                    progress_of(job).rows,
                )  # what it waited in the queue says nothing of its speed
                self._change(job, "running")
        return bool(self._handles) or (not self._stopping and "elsewhere" in self._state.values())

    def _outcome(self, job: Job) -> str:
        """The state of a job whose process has ended. One that was refused because another
        comparison has the run, or has finished it meanwhile, did not fail.
        """
        if finished(job):
            return "finished"
        if self._stopping:
            return "stopped"
        return "elsewhere" if is_locked(job.folder) else "failed"

    def _look_elsewhere(self) -> None:
        """Another comparison in the same folder may be at a run: wait for it, and take
        the run over if it is let go unfinished.
        """
        for job in self._jobs:
            if self._state[job] in ("waiting", "elsewhere"):
                held = is_locked(job.folder)
                if held != (self._state[job] == "elsewhere"):
                    self._change(job, "elsewhere" if held else "finished" if finished(job) else "waiting")

    def _change(self, job: Job, state: str) -> None:
        self._state[job] = state
        if not self._console.is_terminal:
            progress = progress_of(job)
            figures = (
                f"{progress.rows}/{self._totals[job]}, test return {progress.test_return:.2f}"
                if progress.rows
                else "from the beginning"
            )
            self._console.print(
                f"{state}: {job.env} {job.label} seed {job.seed} ({figures})", highlight=False, markup=False
            )

    def table(self) -> Table:
        """The runs as they stand."""
        table = Table(
            "environment", "relabeler", "seed", "state", "iteration", "test return", "success", "left"
        )
        for job in self._jobs:
            progress, total, state = progress_of(job), self._totals[job], self._state[job]
            figures = [_figure(progress.test_return, ".2f"), _figure(progress.success, ".0%")]
            left = self._left(job, progress.rows, total) if state == "running" else ""
            shown = {"failed": "[bold red]failed[/]", "running": "[bold]running[/]"}.get(state, state)
            table.add_row(
                job.env, job.label, str(job.seed), shown, f"{progress.rows}/{total}", *figures, left
            )
        return table

    def _left(self, job: Job, rows: int, total: int) -> str:
        started, before = self._started[job]
        return (
            duration((time.monotonic() - started) / (rows - before) * (total - rows)) if rows > before else ""
        )


def _figure(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)
