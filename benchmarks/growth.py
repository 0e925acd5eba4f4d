"""How relabeling grows: ``python benchmarks/growth.py``. Seconds a path for more tasks K,
longer paths T, more initial states N_U, and the peak of memory; networks 3 x 300 on
cheetah-vel, in single precision.

Of `hfr`, of `hipi`, and of `air`, whose cost is K x T rewards for a collected path and
K x N comparisons for a decision.
"""

from __future__ import annotations

import argparse
import resource

import numpy as np
import torch
from timing import median_seconds

from env_wrappers import make_env
from rlkit_hfr import attach
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.pearl.sac import PEARLSoftActorCritic, build_nets

_BASE = {"K": 100, "T": 200, "N_U": 256}
_AXES = {"K": (10, 50, 100, 200), "T": (50, 100, 200, 500), "N_U": (16, 64, 256)}


def _seconds(method: str, sizes: dict[str, int], repeats: int) -> float:
    """Seconds a path to decide on it, log Z being known, and, for `air`, to note a collected path."""
    torch.manual_seed(0)
    number, horizon = sizes["K"], sizes["T"]
    env = make_env("cheetah-vel", n_tasks=number, seed=0)
    algorithm = PEARLSoftActorCritic(
        env,
        range(number),
        range(1),
        build_nets(20, 6, 5, 300, PEARLConfig()),
        PEARLConfig(max_path_length=horizon),
    )
    options = {"num_initial_states": sizes["N_U"], "num_partition_samples": 2} if method == "hfr" else {}
    relabeling = attach(algorithm, method, seed=0, relabel_fraction=0.0, precision="fp32", **options)
    for start in range(0, number, 10):
        algorithm.collect_data(range(start, min(number, start + 10)), horizon)
    relabeler, scorer, rng = relabeling.relabeler, relabeling.scorer, np.random.default_rng(0)
    algorithm.agent.clear_z(num_tasks=4)
    paths = algorithm.sampler.obtain_paths([0] * 4)

    def work() -> None:
        with scorer.networks.isolated():
            relabeler.decide(paths, [0] * 4, scorer, rng)
        relabeler.observe(paths, scorer)
        scorer.forget_rewards()

    work()  # log Z, which is kept
    return median_seconds(work, repeats) / len(paths)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", default=["hfr", "hipi", "air"])
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    print("| method | varied | seconds a path | ratio to the smallest |\n|---|---|---|---|")
    for method in args.methods:
        for axis, values in _AXES.items():
            if axis == "N_U" and method != "hfr":
                continue
            times = [_seconds(method, {**_BASE, axis: value}, args.repeats) for value in values]
            names = ", ".join(f"{axis}={value}" for value in values)
            ratios = ", ".join(f"{t / times[0]:.1f}" for t in times)
            print(f"| `{method}` | {names} | {', '.join(f'{t:.4f}' for t in times)} | {ratios} |", flush=True)
    print(
        f"\npeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB,"
        " at K=200 or T=500"
    )


if __name__ == "__main__":
    main()
