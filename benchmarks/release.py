"""Scoring against the authors' release of HFR, on the same networks and data:
``HFR_PATH=... python benchmarks/release.py``.

One process, both sides in alternation: the release's `relabel_hfr_q` and
`compute_log_Z`, and the scorer of this package on the release's own network objects.
What counts is the ratio.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from env_wrappers import make_env
from rlkit_hfr.experiments.runs.checkouts import import_host
from rlkit_hfr.hosts.calling import HostNetworks
from rlkit_hfr.hosts.half_precision import compute_in
from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.resolve import resolve_rewards
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory

LATENT, HIDDEN = 5, [300] * 3


def _release_algorithm(
    env: Any, tasks: int, horizon: int, num_initial_states: int, device: torch.device
) -> Any:
    importlib.import_module("rlkit.torch.pytorch_util").set_gpu_mode(device.type == "cuda")
    networks, policies = (
        importlib.import_module("rlkit.torch.networks"),
        importlib.import_module("rlkit.torch.sac.policies"),
    )
    agents, sac = (
        importlib.import_module("rlkit.torch.sac.agent"),
        importlib.import_module("rlkit.torch.sac.sac"),
    )
    obs, action = env.observation_space.shape[0], env.action_space.shape[0]

    def mlp(width: int) -> Any:
        return networks.FlattenMlp(hidden_sizes=HIDDEN, input_size=width, output_size=1)

    flags = dict(
        recurrent=False, use_information_bottleneck=True, sparse_rewards=False, use_next_obs_in_context=False
    )
    policy = policies.TanhGaussianPolicy(
        hidden_sizes=HIDDEN, obs_dim=obs + LATENT, latent_dim=LATENT, action_dim=action
    )
    encoder = networks.MlpEncoder(hidden_sizes=[200] * 3, input_size=obs + action + 1, output_size=2 * LATENT)
    agent = agents.PEARLAgent(LATENT, encoder, policy, **flags)
    goal = env.tasks.shape[1]
    nets = [
        agent,
        mlp(obs + action + LATENT),
        mlp(obs + action + LATENT),
        mlp(obs + LATENT),
        mlp(obs + action + goal),
        mlp(obs + action + goal),
        mlp(obs + action + goal),
        mlp(obs + goal),
    ]
    algorithm = sac.PEARLSoftActorCritic(
        env=env,
        train_tasks=list(range(tasks)),
        eval_tasks=[0],
        train_goals=list(env.tasks[:tasks]),
        latent_dim=LATENT,
        nets=nets,
        replay_buffer_size=20 * horizon,
        max_path_length=horizon,
        utility_batch_size=num_initial_states,
        **flags,
    )
    algorithm.to(device)
    algorithm.log_Z = np.zeros(tasks)
    algorithm.task_idx = 0
    return algorithm


def _path(env: Any, task: int, length: int, rng: np.random.Generator) -> dict[str, Any]:
    obs, steps = env.reset_task(task), []
    for _ in range(length):
        action = rng.uniform(-1, 1, env.action_space.shape)
        next_obs, reward, done, info = env.step(action)
        steps.append((obs, action, reward, next_obs, done, {}, info))
        obs = next_obs
    o, a, r, o2, d, agent_infos, infos = zip(*steps, strict=True)
    return dict(
        observations=np.array(o),
        actions=np.array(a),
        rewards=np.array(r).reshape(-1, 1),
        next_observations=np.array(o2),
        terminals=np.array(d).reshape(-1, 1),
        agent_infos=list(agent_infos),
        env_infos=list(infos),
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--horizon", type=int, default=200)
    parser.add_argument("--num-initial-states", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("this machine or this build of torch has no CUDA device")
    return args


def main() -> int:
    args = _arguments()
    if not os.environ.get("HFR_PATH"):
        print(
            "error: HFR_PATH must name a checkout of the release; run: git clone"
            " https://github.com/michaelwan11/hfr",
            file=sys.stderr,
        )
        return 2
    import_host("oyster", Path(os.environ["HFR_PATH"]))
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    env = make_env("cheetah-vel", n_tasks=args.tasks, seed=0)
    # The release asks the environment for one step's reward under one goal.
    env.reward = lambda info, goal: (
        -abs(float(info["achieved"][0]) - float(goal[0])) - float(info["achieved"][1]),
        False,
    )
    algorithm = _release_algorithm(
        env, args.tasks, args.horizon, args.num_initial_states, torch.device(args.device)
    )
    memory = TaskMemory(range(args.tasks), 20, args.num_initial_states, rng)
    rewards = resolve_rewards(env)
    networks = {precision: HostNetworks(algorithm, algorithm, 0) for precision in ("fp32", "bf16")}
    for precision, nets in networks.items():
        compute_in(nets, precision, with_value=False)
    tasks, hindsight = range(args.tasks), Hindsight(rewards)
    scorers = {
        precision: Scorer(nets, memory, hindsight, tasks, np.random.SeedSequence(0))
        for precision, nets in networks.items()
    }
    for task in range(args.tasks):
        for _ in range(2):
            path = _path(env, task, args.horizon, rng)
            memory.add(task, scorers["fp32"].context_of(path), path["observations"][0].astype(np.float32))
            for buffer in (
                algorithm.replay_buffer,
                algorithm.enc_replay_buffer,
                algorithm.sampler_enc_replay_buffer,
            ):
                buffer.add_paths(task, [path])
    relabeler = make_relabeler("hfr", num_initial_states=args.num_initial_states)
    paths = [_path(env, 0, args.horizon, rng) for _ in range(4)]
    generator = np.random.default_rng(0)

    def decide(scorer: Scorer) -> None:
        with scorer.networks.isolated():
            relabeler.decide(paths, [0] * len(paths), scorer, generator)

    def log_z(scorer: Scorer) -> None:
        scorer.refresh()
        with scorer.networks.isolated():
            relabeler.log_partition(scorer)

    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for scorer in scorers.values():
        log_z(scorer)
    for _ in range(args.repeats):
        times["release", "path"].append(
            _seconds(lambda: algorithm.relabel_hfr_q(copy.deepcopy(paths[:1]), add_original=False))
        )
        times["release", "log Z"].append(_seconds(algorithm.compute_log_Z))
        for precision, scorer in scorers.items():
            times[precision, "path"].append(_seconds(lambda s=scorer: decide(s)) / len(paths))
            times[precision, "log Z"].append(_seconds(lambda s=scorer: log_z(s)))
    median = {key: statistics.median(values) for key, values in times.items()}
    threads = torch.get_num_threads()
    print(f"K = {args.tasks}, T = {args.horizon}, N_U = {args.num_initial_states}, networks 3x300")
    print(f"torch {torch.__version__}, {threads} threads, on {args.device}")
    for what in ("path", "log Z"):
        ours = ", ".join(
            f"{p} {median[p, what]:.3f} s, ratio {median['release', what] / median[p, what]:.2f}"
            for p in scorers
        )
        print(f"{what}: release {median['release', what]:.3f} s; here {ours}")
    seconds = {side: 20 * median[side, "path"] + median[side, "log Z"] for side in ("release", *scorers)}
    ratios = ", ".join(f"{precision} {seconds['release'] / seconds[precision]:.2f}" for precision in scorers)
    print(f"an iteration with 20 relabeled paths and one log Z: ratio {ratios}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
