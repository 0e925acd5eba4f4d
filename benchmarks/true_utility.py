"""How well does the critic (HFR eq. 9) tell what adapting on a trajectory is worth (eq. 4)?

    python benchmarks/true_utility.py --env sparse-point-robot --seeds 2

One PEARL a seed is trained with `hfr`. At each stage (share of the training) fresh trajectories are
collected, half with z from the prior and half with z from the posterior. For each of them and each of
some training tasks, z is the posterior's mean given the trajectory relabeled with the task. U of eq. 9 is
the critic's, U of eq. 4 the discounted return of ``--rollouts`` episodes that act on z. Figures:

* r: correlation of both over all trajectories and tasks;
* r centred: the same after the mean of each trajectory and each task is taken out of both: of what
  decides where a trajectory goes, once log Z is taken off;
* of the noise: the same of two halves of the rollouts, the most that r centred can be;
* same best: share of trajectories for which both name the same task, U less its mean over trajectories;
* regret: what the critic's task earns less than the rollouts' best one, in units of the deviation of U.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from quality import double_centred, fresh_paths

from rlkit_hfr import attach
from rlkit_hfr.experiments.runs.build import build_algorithm
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.relabelers import make_relabeler

FIGURES = ("r", "r centred", "of the noise", "same best", "regret", "seconds, eq. 9", "seconds, eq. 4")


def compare(critic: np.ndarray, halves: np.ndarray) -> dict[str, float]:
    """critic: (N, K) utilities of eq. 9; halves: (2, N, K) of eq. 4, of two sets of rollouts."""
    rollouts = halves.mean(axis=0)
    own, true = double_centred(critic), double_centred(rollouts)
    relative = critic - critic.mean(axis=0), rollouts - rollouts.mean(axis=0)
    chosen, best = (each.argmax(axis=1) for each in relative)
    rows = np.arange(len(critic))
    loss = relative[1][rows, best] - relative[1][rows, chosen]
    return {
        "r": _correlation(critic, rollouts),
        "r centred": _correlation(own, true),
        "of the noise": _correlation(*(double_centred(half) for half in halves)),
        "same best": float(np.mean(chosen == best)),
        "regret": float(loss.mean() / relative[1].std()),
    }


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def measure(algorithm: Any, scorer: Any, args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Figures of the agent as it is, and both utilities of every trajectory and task."""
    rng = np.random.default_rng(seed)
    paths, _ = fresh_paths(algorithm, args.paths, rng)
    states = scorer.memory.initial_states
    critic = make_relabeler("hfr", num_initial_states=states)
    rollouts = make_relabeler(
        "hfr", num_initial_states=states, utility="rollouts", num_rollouts=args.rollouts
    )
    everything = scorer.candidate_tasks
    scorer.candidate_tasks = rng.choice(everything, args.tasks, replace=False).tolist()
    try:
        scorer.refresh()
        with scorer.networks.isolated():
            started = time.perf_counter()
            own = critic.utilities(paths, scorer).double().numpy()
            between = time.perf_counter()
            halves = np.stack([rollouts.utilities(paths, scorer).double().numpy() for _ in range(2)])
            ended = time.perf_counter()
    finally:
        scorer.candidate_tasks = everything
        scorer.refresh()
        scorer.forget_rewards()
    seconds = {"seconds, eq. 9": between - started, "seconds, eq. 4": ended - between}
    return {
        **compare(own, halves),
        **seconds,
        "critic": own.tolist(),
        "rollouts": halves.mean(axis=0).tolist(),
    }


def measured_run(env: str, seed: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    variant = build_variant(env, "hfr", "quick", None, args.assignments, seed)
    algorithm = build_algorithm(variant, torch.device("cpu"))
    iterations = algorithm.num_iterations
    stages = {max(1, round(share * iterations)): share for share in args.stages}
    relabeling = attach(algorithm, "hfr", seed=seed, **variant["relabel_params"])
    rows: list[dict[str, Any]] = []

    def at_epoch_end(row: dict[str, Any]) -> None:
        iteration = row["Epoch"] + 1
        if iteration in stages:
            figures = measure(algorithm, relabeling.scorer, args, seed)
            rows.append({"env": env, "seed": seed, "stage": stages[iteration], **figures})
            print(f"{env}, seed {seed}: iteration {iteration} of {iterations}", file=sys.stderr, flush=True)

    algorithm.on_epoch_end = at_epoch_end
    algorithm.train()
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a line per agent and stage."""
    lines = ["| agent | stage | " + " | ".join(FIGURES) + " |", "|---" * (len(FIGURES) + 2) + "|"]
    for row in rows:
        cells = " | ".join(f"{row[figure]:.2f}" for figure in FIGURES)
        lines.append(f"| {row['env']}, seed {row['seed']} | {row['stage']:.0%} | {cells} |")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    """Eq. 9 against eq. 4, a panel per agent and stage."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(
        1, len(rows), figsize=(3.4 * len(rows), 3.4), layout="constrained", squeeze=False
    )
    for axis, row in zip(axes[0], rows, strict=True):
        axis.scatter(row["rollouts"], row["critic"], s=4, alpha=0.5)
        axis.set_title(
            f"{row['env']}, seed {row['seed']}, {row['stage']:.0%}\nr {row['r']:.2f}, centred"
            f" {row['r centred']:.2f}",
            fontsize=9,
        )
        axis.set_xlabel("eq. 4, rollouts")
    axes[0][0].set_ylabel("eq. 9, critic")
    fig.savefig(file, dpi=90)
    plt.close(fig)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--env", nargs="+", default=["sparse-point-robot"], help="(default: sparse-point-robot)")
    add("--seeds", type=int, default=2, help="agents of each family (default: 2)")
    add("--stages", type=float, nargs="+", default=[0.15, 0.5, 1.0], help="(default: .15 .5 1)")
    add("--paths", type=int, default=25, help="fresh trajectories of each agent (default: 25)")
    add("--tasks", type=int, default=8, help="training tasks that they are scored under (default: 8)")
    add("--rollouts", type=int, default=3, help="episodes of each half of the rollouts (default: 3)")
    add("--set", dest="assignments", action="append", default=[], metavar="KEY=VALUE", help="a setting")
    add("--out", type=Path, help="also write the rows to this JSON file")
    add("--figure", type=Path, help="also draw both utilities into this PNG file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for env in args.env:
        for seed in range(args.seeds):
            rows += measured_run(env, seed, args)
            if args.out is not None:
                args.out.write_text(json.dumps(rows))
    print(table(rows))
    if args.figure is not None:
        draw(rows, args.figure)


if __name__ == "__main__":
    main()
