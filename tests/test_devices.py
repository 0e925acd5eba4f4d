"""Runs on a device, where none is: `pretended_cuda` says what stands in for it."""

from __future__ import annotations

import copy
import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from pretended_cuda import CUDA, OnDevice, pretended_cuda
from standins import EVERY
from tiny_runs import assignments
from torch import nn

from rlkit_hfr import RELABELERS, attach
from rlkit_hfr.experiments.commands import watch
from rlkit_hfr.experiments.runs.build import attach_relabeler, build_algorithm
from rlkit_hfr.experiments.runs.carried import CarriedRun
from rlkit_hfr.experiments.runs.checkpoint import read_journal, read_variant
from rlkit_hfr.experiments.settings.variant import Variant, build_variant
from rlkit_hfr.hosts.isolation import isolated
from rlkit_hfr.pearl.logger import logger

CPU, ROOT = torch.device("cpu"), Path(__file__).parents[1]
TINY = assignments(num_iterations=3, num_exp_traj_eval=1, relabel_fraction=1.0)
TINY += ["relabel_params.precision=fp32"]


# The stand-in itself.
def test_tensors_on_two_devices_do_not_meet(cuda):
    there, here = torch.ones(2, 2, device="cuda"), torch.ones(2, 2)
    layer = nn.Linear(2, 2).to("cuda")
    meetings = (
        lambda: there + here, lambda: there @ here, lambda: torch.cat([there, here]), lambda: layer(here),
        lambda: there.add_(here), lambda: torch.where(here > 0, there, there), lambda: here[there.long()],
        lambda: nn.functional.mse_loss(there, here), lambda: torch.stack([here, there]),
    )  # fmt: skip
    for meeting in meetings:
        with pytest.raises(RuntimeError, match="same device"):
            meeting()
    assert (there * torch.tensor(2.0)).sum().item() == 8.0  # a scalar of the CPU may


def test_what_a_gpu_refuses_is_refused(cuda):
    there = torch.ones(2, 2, device="cuda")
    for attempt in (there.numpy, lambda: np.asarray(there)):
        with pytest.raises(TypeError, match="can't convert cuda"):
            attempt()
    for generator, device in (("cpu", "cuda"), ("cuda", "cpu")):
        with pytest.raises(RuntimeError, match="device type for generator"):
            torch.randn(2, generator=torch.Generator(generator), device=device)
    file = io.BytesIO()
    torch.save(there, file)
    file.seek(0)
    with pytest.raises(RuntimeError, match="map_location"):
        torch.load(file, weights_only=True)
    assert torch.equal(torch.load(file, map_location="cpu", weights_only=True), torch.ones(2, 2))


def test_what_a_gpu_is_waited_for_is_counted(cuda):
    there = torch.arange(6.0).view(2, 3).to("cuda")
    assert cuda.uploads == [24]
    for number, wait in enumerate((
        there.sum().item, lambda: bool(there.any()), lambda: float(there[0, 0]), there.tolist, there.cpu,
        lambda: torch.ones(2).to("cuda"), lambda: there[[0, 1]], lambda: there[there > 1], there.nonzero,
        lambda: torch.equal(there, there), lambda: torch.allclose(there, there),
        lambda: torch.zeros(2, 3).copy_(there),
        lambda: torch.ones(2).to("cuda", non_blocking=True),  # whose memory may be paged out
        lambda: torch.ones(2).pin_memory().to("cuda"),
    )):  # fmt: skip
        cuda.reset()
        wait()
        assert cuda.waits, number
    cuda.reset()
    weights = torch.ones(3, 3, device="cuda", requires_grad=True)
    optimizer = torch.optim.Adam([weights], fused=True)
    (there @ weights).square().mean().backward()
    optimizer.step()
    torch.ones(2).pin_memory().to("cuda", non_blocking=True)
    assert cuda.waits == []
    assert cuda.uploads == [8]
    assert weights.device == CUDA
    assert weights.detach().cpu().sum() != 9.0


def test_networks_that_move_stay_those_of_their_optimizers(cuda):
    net = nn.Linear(2, 2)
    before = list(net.parameters())
    twin = copy.deepcopy(net.to("cuda"))
    assert all(a is b and isinstance(a, OnDevice) for a, b in zip(before, net.parameters(), strict=True))
    assert isinstance(twin.weight, OnDevice)
    assert twin.weight is not net.weight


# Whole runs.
def _variant(env: str, relabeler: str, *settings: str) -> Variant:
    variant = build_variant(env, relabeler, "quick", None, [*TINY, *settings], 0)
    return {**variant, "snapshots": dict(snapshot_mode="last", snapshot_gap=1)}


def _rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "progress.csv") as file:
        rows = list(csv.DictReader(file))
    return [{name: value for name, value in row.items() if "ime" not in name} for row in rows]  # no times


def _run(variant: Variant, device: torch.device, folder: Path, iterations: int = 3) -> None:
    """Begin in the folder, or go on there, until it has so many iterations."""
    logger.reset()
    if folder.exists():
        variant = read_variant(folder)
    run = CarriedRun(variant, device, keep_checkpoint=True)
    scorer = run._relabeling.scorer
    scorer._max_rows = 2048  # chunks of one size on all devices: each draws its own noise
    if folder.exists():
        run.resume(folder, read_journal(folder, variant).content)
    else:
        folder.mkdir()
        run.start(folder)
    written = run._algorithm.on_epoch_end

    def stop(row):
        written(row)
        run._algorithm.stop_requested = len(_rows(folder)) == iterations

    run._algorithm.on_epoch_end = stop
    run.train()


_RUNS = {name: ("sparse-point-robot", name, ()) for name in RELABELERS} | {
    "learned": ("sparse-point-robot", "hfr", ("relabel_params.rewards=learned",)),
    "sparse rewards": ("sparse-point-robot", "hipi-trajectory", ("sparse_rewards=true",)),
    "no bottleneck": ("point-robot", "hfr", ("use_information_bottleneck=false",)),
    "next observations": (
        "cheetah-vel",
        "hfr-bellman",
        ("use_next_obs_in_context=true", "max_path_length=20"),
    ),
    "images": ("visual-reacher", "hfr", ("pixel_encoder=conv", "max_path_length=10")),
}


@pytest.mark.parametrize("name", _RUNS)
def test_a_run_and_its_resumption_on_the_device_give_the_numbers_of_the_cpu(name, tmp_path, capsys):
    variant = _variant(_RUNS[name][0], _RUNS[name][1], *_RUNS[name][2])
    _run(variant, CPU, tmp_path / "cpu")
    with pretended_cuda() as cuda:
        _run(variant, CUDA, tmp_path / "cuda", iterations=2)
        assert len(_rows(tmp_path / "cuda")) == 2
        assert cuda.uploads
        _run(variant, CUDA, tmp_path / "cuda")
    assert _rows(tmp_path / "cuda") == _rows(tmp_path / "cpu")


def test_a_run_of_the_device_is_watched_and_goes_on_without_one(tmp_path, capsys):
    variant = _variant("point-robot", "air")
    with pretended_cuda():
        _run(variant, CUDA, tmp_path / "run", iterations=2)
        assert watch.main(["--run", str(tmp_path / "run")]) == 0
    _run(variant, CPU, tmp_path / "run")
    _run(variant, CPU, tmp_path / "cpu")
    assert _rows(tmp_path / "run") == _rows(tmp_path / "cpu")


@pytest.mark.parametrize("relabeler", RELABELERS)
def test_relabeling_is_restored_in_the_middle_of_an_iteration(cuda, relabeler):
    """When a scorer still keeps what it computed with these networks."""
    variant, states = _variant("sparse-point-robot", relabeler), []
    for _ in range(2):
        algorithm = build_algorithm(variant, CUDA)
        relabeling = attach_relabeler(algorithm, variant)
        if states:
            file = io.BytesIO()
            torch.save(states[0], file)
            file.seek(0)
            loaded = torch.load(file, map_location="cpu", weights_only=True)
            algorithm.load_state_dict(loaded["algorithm"])
            relabeling.load_state_dict(loaded["relabeling"])
        else:
            algorithm._visit(algorithm.train_tasks)
            algorithm._visit(algorithm.train_tasks)
            states.append(dict(algorithm=algorithm.state_dict(), relabeling=relabeling.state_dict()))
        torch.manual_seed(1)
        algorithm._visit(algorithm.train_tasks)
        states.append(algorithm.replay_buffer.state_dict()["tasks"][0]["rows"]["_rewards"])
    assert torch.equal(states[1], states[2])


# The update.
def _ready(make_algorithm, env: str = "point-robot", pixel_encoder: str = "flat", **settings):
    """An algorithm on the device with data, and an update behind it, as the first one's
    figures are logged."""
    if env == "visual-reacher":
        variant = _variant(env, "none", "max_path_length=10", f"pixel_encoder={pixel_encoder}")
        algorithm = build_algorithm(variant, CUDA)
    else:
        algorithm = make_algorithm(env, **settings)
        algorithm.to("cuda")
    attach(algorithm, "hfr", seed=0, precision="fp32")
    algorithm.collect_data(algorithm.train_tasks, 20)
    algorithm._visit(algorithm.train_tasks[:2])
    algorithm._do_training(algorithm.train_tasks[:2])
    return algorithm


@pytest.mark.parametrize("settings", [
    {}, dict(use_information_bottleneck=False), dict(use_next_obs_in_context=True),
    dict(env="sparse-point-robot", sparse_rewards=True), dict(env="visual-reacher"),
    dict(env="visual-reacher", pixel_encoder="conv"),
], ids=str)  # fmt: skip
def test_an_update_uploads_its_batch_at_once_and_waits_for_nothing(cuda, make_algorithm, settings):
    algorithm = _ready(make_algorithm, **settings)
    cuda.reset()
    for _ in range(3):
        algorithm._do_training(algorithm.train_tasks[:2])
    assert cuda.waits == []
    assert len(cuda.uploads) == 3
    batch = [*algorithm.sample_sac([0, 1]), algorithm.sample_context([0, 1])]
    needed = sum(tensor.nbytes for tensor in batch)
    assert needed <= cuda.uploads[0] < needed + 64 * len(batch)
    if settings.get("env") == "visual-reacher":
        assert batch[0].dtype == torch.uint8
    algorithm.check_losses(0)
    assert any("nonzero" in wait for wait in cuda.waits)  # once an iteration


def test_a_needless_wait_or_a_tensor_left_behind_in_an_update_is_noticed(cuda, make_algorithm):
    algorithm = _ready(make_algorithm)
    of_agent, cuda.waits = algorithm.agent.compute_kl_div, []
    for needless in (
        lambda kl: kl * float(kl.detach() > -1), lambda kl: kl.cpu().to("cuda"),
        lambda kl: kl * torch.ones(3).to("cuda").mean(),
    ):  # fmt: skip
        algorithm.agent.compute_kl_div = lambda needless=needless: needless(of_agent())
        algorithm._do_training([0, 1])
        assert cuda.waits
        cuda.reset()
    algorithm.agent.compute_kl_div = lambda: of_agent() * torch.ones(3).mean(dim=0, keepdim=True)
    with pytest.raises(RuntimeError, match="same device"):
        algorithm._do_training([0, 1])


# Hosts.
def _found_out(networks):
    calls = networks.calls
    return calls.infers_alone, calls.value is None, calls.knows_normal


@pytest.mark.filterwarnings("ignore:the buffers hold data already")
@pytest.mark.parametrize("name", EVERY)
def test_every_host_scores_on_the_device(name, cuda):
    """The same functions of its networks are found there, and methods decide."""
    algorithm = EVERY[name]()
    here = attach(algorithm, "none")
    with torch.no_grad():
        for task in algorithm.task_ids:
            algorithm.visit(task)
    here.detach()
    found = here.scorer.networks
    for net in found.parts.modules():
        if not isinstance(next(net.parameters()), OnDevice):  # the agent's networks are among them once more
            net.to("cuda")
    for relabeler in ("hfr", "hfr-bellman", "hipi", "advantage"):
        if relabeler == "hfr-bellman" and found.calls.value is None:
            continue
        relabeling = attach(algorithm, relabeler, seed=0, precision="fp32")
        scorer = relabeling.scorer
        assert _found_out(scorer.networks) == _found_out(found)
        paths = [path for task in algorithm.task_ids for path in algorithm.collected[task][:2]]
        for task in algorithm.task_ids:
            for path in algorithm.collected[task]:
                first = np.asarray(path["observations"][0], np.float32)
                scorer.memory.add(task, scorer.context_of(path), first)
                scorer.memory.collected(task, path)
        cuda.reset()
        sources, rng = [algorithm.task_ids[0]] * len(paths), np.random.default_rng(0)
        with scorer.networks.isolated():
            decisions = relabeling.relabeler.decide(paths, sources, scorer, rng)
        assert len(decisions) == len(paths)
        assert cuda.uploads
        relabeling.detach()


def test_a_hosts_draws_on_a_gpu_that_is_in_use_are_put_back(monkeypatch):
    generator = torch.Generator().manual_seed(3)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "default_generators", (generator,))
    agent, drawn = nn.Linear(1, 1), []
    for _ in range(2):
        with isolated([], agent, seed=7):
            drawn.append(torch.rand(3, generator=generator))
    assert torch.equal(*drawn)
    undisturbed = torch.Generator().manual_seed(3)
    assert torch.equal(torch.rand(3, generator=generator), torch.rand(3, generator=undisturbed))


def test_a_checkpoint_of_a_run_on_the_cpu_leaves_gpus_alone(monkeypatch, tmp_path, capsys):
    """Reading the random generators of all GPUs would take some of their memory."""
    touched = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: touched.append(0) or [])
    _run(_variant("point-robot", "none"), CPU, tmp_path / "run", iterations=1)
    assert not touched
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "default_generators", ())
    _run(_variant("point-robot", "none"), CPU, tmp_path / "run", iterations=2)
    assert touched


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_an_update_on_a_real_device_waits_for_nothing(make_algorithm):
    algorithm = _ready(make_algorithm)
    torch.cuda.set_sync_debug_mode("error")
    try:
        algorithm._do_training(algorithm.train_tasks[:2])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    algorithm.check_losses(0)
