"""How far half precision moves the choice of tasks: ``python benchmarks/rounding.py``.

A quick run is trained for a few iterations; then the distributions over tasks of the
same paths are taken with the same draws in single and in half precision, and with other
draws (of z, actions, initial states and partition trajectories) in single precision,
which is the noise that the method has anyway. What counts is the ratio of the two
distances.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from rlkit_hfr import Relabeling
from rlkit_hfr.experiments.runs.build import attach_relabeler, build_algorithm
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.paths import PathDict


def _probs(relabeling: Relabeling, paths: list[PathDict], tasks: list[int]) -> np.ndarray:
    """The distributions (paths, K), with draws of their own."""
    scorer = relabeling.scorer
    scorer.refresh()
    with scorer.networks.isolated():
        decisions = relabeling.relabeler.decide(paths, tasks, scorer, np.random.default_rng(0))
    return np.stack([decision.probs for decision in decisions])


def _distance(p: np.ndarray, q: np.ndarray) -> float:
    """Total variation, averaged over the paths."""
    return float(0.5 * np.abs(p - q).sum(axis=1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--env", nargs="+", default=["sparse-point-robot", "sawyer-push", "cheetah-vel-sparse"]
    )
    parser.add_argument("--relabelers", nargs="+", default=["hfr", "hipi"])
    parser.add_argument("--iterations", type=int, default=8)
    args = parser.parse_args()
    print(
        "| environment | relabeler | other draws | half precision | ratio | the likeliest task stays"
        " |\n|---|---|---|---|---|---|"
    )
    for env in args.env:
        for method in args.relabelers:
            variant = build_variant(env, method, "quick", None, [f"num_iterations={args.iterations}"], 0)
            algorithm = build_algorithm(variant, torch.device("cpu"))
            trained = attach_relabeler(algorithm, variant)
            algorithm.train()
            state = trained.state_dict()
            trained.detach()
            tasks = algorithm.train_tasks[:10]
            algorithm.agent.clear_z(num_tasks=len(tasks))
            paths = algorithm.sampler.obtain_paths(tasks)
            probs, others = {}, {}
            for precision in ("fp32", "bf16"):
                relabeling = attach_relabeler(
                    algorithm,
                    {**variant, "relabel_params": {**variant["relabel_params"], "precision": precision}},
                )
                relabeling.load_state_dict(state)  # the same draws for both
                probs[precision] = _probs(relabeling, paths, tasks)
                others[precision] = _probs(relabeling, paths, tasks)
                relabeling.detach()
            draws, half = _distance(probs["fp32"], others["fp32"]), _distance(probs["fp32"], probs["bf16"])
            stays = float((probs["fp32"].argmax(axis=1) == probs["bf16"].argmax(axis=1)).mean())
            print(
                f"| `{env}` | `{method}` | {draws:.3f} | {half:.4f} | {draws / max(half, 1e-9):.0f} |"
                f" {stays:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
