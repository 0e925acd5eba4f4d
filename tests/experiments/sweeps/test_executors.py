"""What each process sees, and what a cluster is asked for."""

from __future__ import annotations

import sys
import types

from grids import jobs_of

from rlkit_hfr.experiments.sweeps import executors
from rlkit_hfr.experiments.sweeps.executors import LocalProcesses, RayTasks, SlurmJobs
from rlkit_hfr.experiments.sweeps.resources import (
    Resources,
)


def test_each_process_sees_the_gpu_that_fewest_share(tmp_path, monkeypatch):
    started = []

    class Process:
        code = None

        def poll(self):
            return self.code

    def start(command, folder, where, environment=None):
        started.append(environment)
        return Process()

    monkeypatch.setattr(executors, "_start", start)
    here = LocalProcesses(3, ["4", "7"])
    handles = [here.submit(job) for job in jobs_of(tmp_path, 3)]
    handles[1].code = 0
    assert here.poll(handles[1]) == 0
    here.submit(jobs_of(tmp_path)[0])
    assert [environment["CUDA_VISIBLE_DEVICES"] for environment in started] == ["4", "7", "4", "7"]
    LocalProcesses(1).submit(jobs_of(tmp_path)[0])
    assert started[-1] is None


def test_slurm_is_asked_for_gpu_memory_and_account(tmp_path, monkeypatch):
    asked = {}

    class AutoExecutor:
        def __init__(self, folder, cluster):
            asked["cluster"] = cluster

        def update_parameters(self, **parameters):
            asked.update(parameters)

    monkeypatch.setitem(sys.modules, "submitit", types.SimpleNamespace(AutoExecutor=AutoExecutor))
    SlurmJobs("gpu", 2.0, tmp_path, Resources(device="cuda", gpus=2, memory=8.0, account="lab"))
    assert asked == dict(
        cluster="slurm",
        timeout_min=120,
        cpus_per_task=1,
        name="rlkit-hfr",
        gpus_per_node=2,
        mem_gb=8.0,
        slurm_partition="gpu",
        slurm_account="lab",
    )
    asked.clear()
    SlurmJobs("cpu", 1.0, tmp_path, Resources(device="cpu"))
    assert not {"gpus_per_node", "mem_gb", "slurm_account"} & set(asked)


def test_ray_is_asked_for_gpu_and_memory(monkeypatch):
    asked = {}

    def remote(**parameters):
        asked.update(parameters)
        return lambda function: function

    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace(init=lambda **options: None, remote=remote))
    RayTasks("auto", Resources(device="cuda", gpus=1, memory=2.5))
    assert asked == dict(num_cpus=1, num_gpus=1, memory=2_500_000_000, max_calls=1, max_retries=0)
    asked.clear()
    RayTasks("auto", Resources(device="cpu"))
    assert asked["num_gpus"] == 0
    assert "memory" not in asked
