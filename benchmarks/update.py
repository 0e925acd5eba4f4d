"""One gradient update, and collection, against oyster: ``OYSTER_PATH=... python
benchmarks/update.py --env cheetah-vel``.

Both sides in this process, in alternation, on the same weights, buffers and
environments; what counts is the ratio. Without OYSTER_PATH the carried PEARL is
measured alone, in both precisions.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from timing import alternating_seconds, median_seconds

from rlkit_hfr.experiments.runs.build import build_algorithm
from rlkit_hfr.experiments.runs.checkouts import import_host
from rlkit_hfr.experiments.runs.foreign import build_foreign
from rlkit_hfr.experiments.settings.variant import build_variant

_PAIRS = {
    "policy": "agent.policy",
    "context_encoder": "agent.context_encoder",
    "qf1": "qf1",
    "qf2": "qf2",
    "vf": "vf",
    "target_vf": "target_vf",
}


def same_weights(source: Any, target: Any) -> None:
    """Copy every network of one algorithm into another's, parameter by parameter in their order."""
    for path in _PAIRS.values():
        nets = []
        for algorithm in (source, target):
            net = algorithm
            for name in path.split("."):
                net = getattr(net, name)
            nets.append(net)
        for ours, theirs in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
            assert ours.shape == theirs.shape, path
            theirs.data.copy_(ours.data)


def fill_alike(algorithms: list[Any], tasks: int, steps: int) -> None:
    """Collect with the first and give the same paths to all."""
    first = algorithms[0]
    for task in range(tasks):
        first.agent.clear_z(num_tasks=1)
        paths = [first.sampler.obtain_paths([task])[0] for _ in range(-(-steps // first.max_path_length))]
        for path in paths:
            length = len(path["rewards"])  # rlkit's buffers take infos step by step
            infos = [{key: values[t] for key, values in path["env_infos"].items()} for t in range(length)]
            for algorithm in algorithms:
                own = (
                    path if algorithm is first else {**path, "env_infos": infos, "agent_infos": [{}] * length}
                )
                algorithm.replay_buffer.add_path(task, own)
                algorithm.enc_replay_buffer.add_path(task, own)


def _collected(algorithm: Any, tasks: list[int], horizon: int, side_by_side: bool) -> Callable[[], int]:
    """A path of each task; episodes that end early make the number of steps."""

    def ours() -> int:
        algorithm.agent.clear_z(num_tasks=len(tasks))
        return sum(len(path["rewards"]) for path in algorithm.sampler.obtain_paths(tasks))

    def theirs() -> int:  # oyster: one path after the other, its own sampler
        steps = 0
        for task in tasks:
            algorithm.env.reset_task(task)
            algorithm.agent.clear_z()
            steps += algorithm.sampler.obtain_samples(
                max_samples=horizon, max_trajs=1, accum_context=False, resample=1
            )[1]
        return steps

    return ours if side_by_side else theirs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", nargs="+", default=["cheetah-vel", "ant-goal", "sawyer-push"])
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    print(f"{platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    oyster = os.environ.get("OYSTER_PATH")
    if oyster:
        import_host("oyster", Path(oyster))
    for env in args.env:
        _report(env, bool(oyster), args.repeats)


def _report(env: str, with_oyster: bool, repeats: int) -> None:
    settings = ["n_train_tasks=16", "n_eval_tasks=2", "num_iterations=1", "replay_buffer_size=20000"]
    variant, cpu = build_variant(env, "none", "paper", None, settings, 0), torch.device("cpu")
    half = {**variant, "algo_params": {**variant["algo_params"], "precision": "bf16"}}
    sides: dict[str, Any] = {"fp32": build_algorithm(variant, cpu), "bf16": build_algorithm(half, cpu)}
    if with_oyster:
        sides["oyster"] = build_foreign("oyster", variant, cpu)
    for name in list(sides)[1:]:
        same_weights(sides["fp32"], sides[name])
    fill_alike(list(sides.values()), 16, 600)
    indices, ours = list(range(variant["algo_params"]["meta_batch"])), sides["fp32"]
    updates = alternating_seconds(
        {name: lambda a=side: a._do_training(indices) for name, side in sides.items()}, repeats
    )
    context = f"{len(indices)} x 256, context {variant['algo_params']['embedding_batch_size']}"
    print(
        f"{env}: update ({context}): "
        + ", ".join(f"{name} {seconds:.3f} s" for name, seconds in updates.items())
    )
    gather = median_seconds(lambda: (ours.sample_sac(indices), ours.sample_context(indices)), repeats)
    print(
        f"    of which drawing the batches {gather / updates['fp32']:.1%}; ratio fp32 to bf16"
        f" {updates['fp32'] / updates['bf16']:.2f}"
    )
    if with_oyster:
        horizon, tasks = variant["algo_params"]["max_path_length"], list(range(10))
        work = {
            "here": _collected(ours, tasks, horizon, True),
            "oyster": _collected(sides["oyster"], tasks, horizon, False),
        }
        seconds = alternating_seconds(work, repeats)
        print(
            f"    oyster / here: update fp32 {updates['oyster'] / updates['fp32']:.2f}, bf16"
            f" {updates['oyster'] / updates['bf16']:.2f}; collection"
            f" {seconds['oyster'] / seconds['here']:.2f} ({1 / seconds['here']:,.0f} steps/s)",
            flush=True,
        )


if __name__ == "__main__":
    main()
