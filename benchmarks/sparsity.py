"""How often random behaviour is rewarded: ``python benchmarks/sparsity.py``. What
relabeling has to work with.

Per sparse family: the share of episodes that hit their own task's goal at some step,
and any training task's; the mean number of training tasks hit by an episode; the share
of transitions rewarded under their own task, and under some task. Episodes lean one way
throughout (`rlkit_hfr.experiments.pictures.families.random_path`), or act uniformly, or act
uniformly with nine in ten actions repeated ("sticky").
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from env_wrappers import ENVIRONMENTS, make_env
from rlkit_hfr.experiments.pictures.families import random_path
from rlkit_hfr.experiments.settings.paper_presets import SAME_TASKS
from rlkit_hfr.experiments.settings.presets import preset

KINDS: dict[str, dict[str, Any]] = {
    "leaning": {},
    "uniform": dict(uniform=True),
    "sticky": dict(uniform=True, stickiness=0.9),
}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--env", nargs="*", help="families (default: all whose tasks are goals)")
    p.add_argument("--episodes", type=int, default=200)
    p.add_argument("--seed", type=int, default=0)
    args = p.parse_args()
    print(
        "| environment | tasks | actions | own task, episodes | any task, episodes | tasks an episode | own"
        " task, steps | any task, steps |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in args.env or ENVIRONMENTS:
        settings = preset(name, "paper")
        train = settings["n_train_tasks"]
        env = make_env(name, n_tasks=SAME_TASKS.get(name, train + settings["n_eval_tasks"]), seed=args.seed)
        if env.tolerance is None:
            continue
        for kind, how in KINDS.items():
            rng = np.random.default_rng(args.seed)
            figures = []
            for episode in range(args.episodes):
                path = random_path(env, episode % train, settings["max_path_length"], rng, **how)
                hits = env.goal_distances(path, range(train)) <= 1.0
                own = hits[episode % train]
                figures.append(
                    [own.any(), hits.any(), hits.any(axis=1).sum(), own.mean(), hits.any(axis=0).mean()]
                )
            own_ep, any_ep, number, own_step, any_step = np.mean(figures, axis=0)
            print(
                f"| `{name}` | {train} | {kind} | {own_ep:.1%} | {any_ep:.1%} | {number:.2f} | {own_step:.2%}"
                f" | {any_step:.1%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
