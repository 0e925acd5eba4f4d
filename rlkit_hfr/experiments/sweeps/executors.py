"""Where the runs of a comparison are executed: processes of this machine, Ray, or
SLURM. Each run is a process of its own, because logger, timers and global generators
belong to a process.
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol, TypeVar

from rlkit_hfr.experiments.runs.folders import CONSOLE
from rlkit_hfr.experiments.sweeps.jobs import ATTEMPT, Job
from rlkit_hfr.experiments.sweeps.resources import Resources

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


Handle = TypeVar("Handle")  # of a run that has been submitted


class Executor(Protocol[Handle]):
    """slots: runs at once, None if the executor queues by itself."""

    slots: int | None

    def submit(self, job: Job) -> Handle:
        """Start a run, or queue it; returns a handle."""

    def poll(self, handle: Handle) -> int | None:
        """The exit code, None while it has none."""

    def stop(self, handle: Handle, at_once: bool) -> None:
        """Let it finish its iteration and write its checkpoint, or kill it."""

    def close(self) -> None: ...


def let_children_import() -> None:
    """Let the processes that this one starts find the packages of this clone, installed
    or not.
    """
    root, known = Path(__file__).resolve().parents[3], os.environ.get("PYTHONPATH", "")
    if (root / "setup.cfg").is_file() and str(root) not in known.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), known]))


def _start(
    command: list[str], folder: Path, where: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """A run in a session of its own, on one thread, its output in its folder: Ctrl-C in
    the terminal is for the comparison. where: the folder that it is started from, in which
    it looks for ``module:Class``. environment: variables of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / CONSOLE, "ab") as console:
        console.write(f"{ATTEMPT}{shlex.join(command)}\n".encode())
        console.flush()
        return subprocess.Popen(
            command,
            stdout=console,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_ONE_THREAD, **(environment or {})},
            cwd=where if Path(where).is_dir() else None,
            start_new_session=True,
        )


def run_to_end(command: list[str], folder: str, where: str) -> int:
    """Run a command to its end, on whatever machine; one that is cancelled ends its
    iteration first. where: the folder of the comparison's own process.
    """
    process = _start(command, Path(folder), where)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


class LocalProcesses:
    """At most `slots` processes of this machine. A run sees one of `gpus`, the one that
    fewest share.
    """

    def __init__(self, slots: int, gpus: Sequence[str] = ()) -> None:
        self.slots: int | None = slots
        self._gpus = list(gpus)
        self._users: dict[subprocess.Popen[bytes], str] = {}

    def submit(self, job: Job) -> subprocess.Popen[bytes]:
        if not self._gpus:
            return _start(job.command(), job.folder, os.getcwd())
        taken = list(self._users.values())
        gpu = min(self._gpus, key=taken.count)
        handle = _start(job.command(), job.folder, os.getcwd(), {"CUDA_VISIBLE_DEVICES": gpu})
        self._users[handle] = gpu
        return handle

    def poll(self, handle: subprocess.Popen[bytes]) -> int | None:
        code = handle.poll()
        if code is not None:
            self._users.pop(handle, None)
        return code

    def stop(self, handle: subprocess.Popen[bytes], at_once: bool) -> None:
        handle.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)

    def close(self) -> None:
        pass


class RayTasks:
    """One Ray task a run, one core each. The log folder must be one that all nodes see."""

    slots: int | None = None

    def __init__(self, address: str, resources: Resources) -> None:
        """address: "local" starts Ray on this machine; "auto" or HOST:PORT joins a
        cluster. ValueError without Ray.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        if address == "local":
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        try:
            import ray
        except ImportError:
            raise ValueError(
                "--ray needs the package ray; run: pip install 'rlkit-hfr[ray]', "
                "or leave --ray out for local processes"
            ) from None
        self._ray: ModuleType = ray
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=False if address == "local" else None,
            )
        except ConnectionError as error:
            raise ValueError(
                f"--ray {address}: no cluster there ({error}); use 'local' to start one on this machine"
            ) from None
        # One worker process a run (max_calls), and no second try: a run that failed is to be seen.
        asked: dict[str, object] = dict(num_cpus=1, num_gpus=resources.gpus, max_calls=1, max_retries=0)
        if resources.memory is not None:
            asked["memory"] = int(resources.memory * 1e9)
        self._run = ray.remote(**asked)(run_to_end)

    def submit(self, job: Job) -> object:
        job.folder.mkdir(parents=True, exist_ok=True)
        return self._run.remote(job.command(), str(job.folder), os.getcwd())

    def poll(self, handle: object) -> int | None:
        ready, _ = self._ray.wait([handle], timeout=0)
        if not ready:
            return None
        try:
            return int(self._ray.get(handle))
        except (self._ray.exceptions.RayError, KeyboardInterrupt):
            return 1

    def stop(self, handle: object, at_once: bool) -> None:
        self._ray.cancel(handle, force=at_once)

    def close(self) -> None:
        self._ray.shutdown()


class _Submitted(Protocol):
    """A job of submitit."""

    def done(self) -> bool: ...
    def exception(self) -> BaseException | None: ...
    def result(self) -> int: ...
    def cancel(self) -> None: ...


class SlurmJobs:
    """One SLURM job a run, by submitit. The log folder must be one that all nodes see."""

    slots: int | None = None

    def __init__(self, partition: str, hours: float, folder: Path, resources: Resources) -> None:
        """partition: of SLURM; "local" runs submitit's jobs on this machine.

        ValueError without submitit or SLURM.
        """
        try:
            import submitit
        except ImportError:
            raise ValueError(
                "--slurm needs the package submitit; run: pip install 'rlkit-hfr[slurm]'"
            ) from None
        try:
            self._executor = submitit.AutoExecutor(
                folder=folder / "submitit", cluster="local" if partition == "local" else "slurm"
            )
        except RuntimeError as error:
            raise ValueError(f"--slurm {partition}: {error}") from None
        asked: dict[str, object] = dict(timeout_min=int(60 * hours), cpus_per_task=1, name="rlkit-hfr")
        if resources.gpus:
            asked["gpus_per_node"] = resources.gpus
        if resources.memory is not None:
            asked["mem_gb"] = resources.memory
        if partition != "local":
            asked["slurm_partition"] = partition
            asked |= {"slurm_account": resources.account} if resources.account else {}
        self._executor.update_parameters(**asked)

    def submit(self, job: Job) -> _Submitted:
        return self._executor.submit(run_to_end, job.command(), str(job.folder), os.getcwd())

    def poll(self, handle: _Submitted) -> int | None:
        if not handle.done():
            return None
        error = handle.exception()
        return int(handle.result()) if error is None else 1

    def stop(self, handle: _Submitted, at_once: bool) -> None:
        handle.cancel()

    def close(self) -> None:
        pass


def default_slots() -> int:
    """One run a core."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
