"""Runs one experiment on a public checkout in a process of its own (two checkouts can't
share one) and prints its outcome as JSON.

``python tests/hosts/real_host_runner.py EXPERIMENT HOST PATH OPTIONS``, OPTIONS a JSON object.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlkit_hfr import RelabelDecision, Relabeler, attach
from rlkit_hfr.experiments.runs.build import build_algorithm
from rlkit_hfr.experiments.runs.checkouts import import_host
from rlkit_hfr.experiments.runs.foreign import build_foreign, setup_foreign_logger
from rlkit_hfr.experiments.settings.variant import build_variant

TINY = [
    "n_train_tasks=4",
    "n_eval_tasks=2",
    "num_iterations=3",
    "num_initial_steps=40",
    "num_tasks_sample=3",
    "num_steps_prior=40",
    "num_steps_posterior=20",
    "num_extra_rl_steps_posterior=20",
    "num_train_steps_per_itr=4",
    "num_steps_per_eval=40",
    "num_evals=1",
    "net_size=16",
    "max_path_length=20",
    "batch_size=16",
    "embedding_batch_size=20",
    "meta_batch=3",
    "replay_buffer_size=5000",
]


class NeverHome(Relabeler):
    name = "never-home"

    def decide(self, paths, source_tasks, scorer, rng):
        tasks, unknown = scorer.candidate_tasks, np.zeros(len(scorer.candidate_tasks))
        places = [(tasks.index(task) + 1) % len(tasks) for task in source_tasks]
        return [RelabelDecision(tasks[k], np.eye(len(tasks))[k], unknown, unknown) for k in places]


def _build(host: str, path: str, options: dict[str, Any]) -> tuple[Any, Path, dict[str, Any]]:
    import_host(host, Path(path))
    settings = [*TINY, *(f"{key}={json.dumps(value)}" for key, value in options.get("set", {}).items())]
    variant = build_variant(options.get("env", "point-robot"), "hfr", "quick", None, settings, 0)
    algorithm = build_foreign(host, variant, torch.device("cpu"))
    log_dir = Path(tempfile.mkdtemp())
    setup_foreign_logger(log_dir, {}, "last", 1)
    return algorithm, log_dir, options


def train(host: str, path: str, options: dict[str, Any]) -> dict[str, Any]:
    """Train, attached as the options say, and return the rows of progress.csv."""
    algorithm, log_dir, options = _build(host, path, options)
    for name in options.get("save", []):
        setattr(algorithm, name, True)
    relabeler = NeverHome() if options.get("relabeler") == "never-home" else options.get("relabeler")
    if relabeler is not None:
        relabeling = attach(algorithm, relabeler, seed=1, relabel_fraction=options.get("fraction", 1.0))
        if options.get("detach"):
            relabeling.detach()
    algorithm.train()
    lines = (log_dir / "progress.csv").read_text().splitlines()
    return {
        "lines": lines,
        "files": sorted(p.name for p in log_dir.iterdir()),
        "buffer": type(algorithm.enc_replay_buffer).__name__,
    }


def contexts(host: str, path: str, options: dict[str, Any]) -> dict[str, Any]:
    """After some relabeled visits: do requests for one task give that task's originals,
    and those for several relabeled data?
    """
    algorithm, _, _ = _build(host, path, options)
    attach(algorithm, NeverHome(), seed=1, relabel_fraction=1.0)
    algorithm.train()
    env, buffer = algorithm.env, algorithm.enc_replay_buffer

    def draw(request: Any) -> np.ndarray:
        if host == "oyster":
            return algorithm.sample_context(request).numpy()
        return np.asarray(buffer.sample_context(request, algorithm.embedding_batch_size))

    def own_reward(task: int, rows: np.ndarray) -> float:
        after = (rows[:, :2] + 0.1 * np.clip(rows[:, 2:4], -1, 1)).astype(np.float32)
        rewards = env.compute_rewards({"env_infos": {"achieved": after}}, [task]).rewards[0]
        return float(np.isclose(rows[:, 4], rewards, atol=1e-5).mean())

    def in_hosts_buffer(task: int, rows: np.ndarray) -> float:
        inner = buffer.task_buffers[task]
        held = inner._observations[: inner._size]
        return float(np.mean([(np.abs(held - row[:2]).sum(axis=1) < 1e-5).any() for row in rows]))

    tasks = [0, 1, 2, 3]
    one, many = [draw(task)[0] for task in tasks], draw(tasks)
    return {
        "one_own_reward": [own_reward(t, rows) for t, rows in zip(tasks, one, strict=True)],
        "one_in_hosts_buffer": [in_hosts_buffer(t, rows) for t, rows in zip(tasks, one, strict=True)],
        "many_own_reward": [own_reward(t, rows) for t, rows in zip(tasks, many, strict=True)],
        "many_in_hosts_buffer": [in_hosts_buffer(t, rows) for t, rows in zip(tasks, many, strict=True)],
    }


def update(host: str, path: str, options: dict[str, Any]) -> dict[str, Any]:
    """One update of oyster and one of ours, from the same weights and batch and without
    noise: both sides' losses, and how far their gradients are apart, relative to the
    largest.
    """
    import_host(host, Path(path))
    torch.randn_like = lambda x, **kwargs: torch.zeros_like(x)
    torch.distributions.Normal.sample = lambda self, *shape: self.mean.detach()
    torch.distributions.Normal.rsample = lambda self, *shape: self.mean
    sizes = ["n_train_tasks=4", "n_eval_tasks=2", "meta_batch=4", "batch_size=64", "entropy_weight=1"]
    variant = build_variant("cheetah-vel", "none", "quick", None, sizes, 0)
    ours, theirs = (
        build_algorithm(variant, torch.device("cpu")),
        build_foreign(host, variant, torch.device("cpu")),
    )
    parts = {"agent.policy": [], "agent.context_encoder": [], "qf1": [], "qf2": [], "vf": [], "target_vf": []}
    generator = torch.Generator().manual_seed(1)
    for name in parts:
        nets = [functools.reduce(getattr, name.split("."), algorithm) for algorithm in (ours, theirs)]
        parts[name] = list(zip(*(net.parameters() for net in nets), strict=True))
        for a, b in parts[name]:
            a.data.copy_(torch.randn(a.shape, generator=generator) * 0.1)
            b.data.copy_(a.data)
    sizes = (20, 6, 1, 20, 1)
    batch = [torch.randn(4, 64, size, generator=generator) for size in sizes]
    batch[4] = (batch[4] > 1.0).float()
    context = torch.randn(4, 30, 27, generator=generator)
    for algorithm in (ours, theirs):
        algorithm.sample_sac = lambda indices: [x.clone() for x in batch]
        algorithm.agent.clear_z(num_tasks=4)
        algorithm._take_step([0, 1, 2, 3], context.clone())
    losses = {
        name: [float(alg.eval_statistics[name]) for alg in (ours, theirs)]
        for name in ("QF Loss", "VF Loss", "Policy Loss", "KL Loss")
    }
    gaps = {}
    for name, pairs in parts.items():
        # oyster's critics get the policy's gradients as well, after their step
        if name in ("agent.policy", "agent.context_encoder", "vf"):
            gaps[name] = max(
                float((a.grad - b.grad).abs().max() / b.grad.abs().max().clamp(min=1e-12)) for a, b in pairs
            )
        else:
            gaps[name] = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
    return {"losses": losses, "gaps": gaps}


def refuse(host: str, path: str, options: dict[str, Any]) -> dict[str, Any]:
    """What `attach` says to the release of HFR, which relabels by itself."""
    import_host("oyster", Path(path))
    import importlib

    from env_wrappers import make_env

    networks, sac = (
        importlib.import_module("rlkit.torch.networks"),
        importlib.import_module("rlkit.torch.sac.sac"),
    )
    policies, agents = (
        importlib.import_module("rlkit.torch.sac.policies"),
        importlib.import_module("rlkit.torch.sac.agent"),
    )
    env = make_env("point-robot", n_tasks=4)

    def mlp(width: int) -> Any:
        return networks.FlattenMlp(hidden_sizes=[8], input_size=width, output_size=1)

    policy = policies.TanhGaussianPolicy(hidden_sizes=[8], obs_dim=5, latent_dim=3, action_dim=2)
    encoder = networks.MlpEncoder(hidden_sizes=[8], input_size=5, output_size=6)
    flags = dict(
        recurrent=False, use_information_bottleneck=True, sparse_rewards=False, use_next_obs_in_context=False
    )
    agent = agents.PEARLAgent(3, encoder, policy, **flags)
    nets = [agent, mlp(7), mlp(7), mlp(5), mlp(6), mlp(6), mlp(6), mlp(4)]
    goals = [env.tasks[i] for i in range(3)]
    algorithm = sac.PEARLSoftActorCritic(
        env=env,
        train_tasks=[0, 1, 2],
        eval_tasks=[3],
        train_goals=goals,
        latent_dim=3,
        nets=nets,
        replay_buffer_size=100,
        **flags,
    )
    try:
        attach(algorithm, "hfr")
    except ValueError as error:
        return {"error": str(error)}
    return {"error": None}


if __name__ == "__main__":
    torch.set_num_threads(1)
    experiment, host_name, checkout, given = sys.argv[1:]
    experiments = {"train": train, "contexts": contexts, "refuse": refuse, "update": update}
    print("\n" + json.dumps(experiments[experiment](host_name, checkout, json.loads(given))))
