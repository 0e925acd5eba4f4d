"""Where do relabelers send trajectories? Measured on agents of several stages of training, in minutes.

    python benchmarks/quality.py --env sparse-point-robot sawyer-push --seeds 3

One PEARL a family and seed is trained with the relabeler of ``--trained-with``. At each stage
(share of the training) fresh trajectories are collected, half with z from the prior and half with z
from the posterior, which no buffer sees, and every method says where it would send them. Figures,
each agent's mean over its stages, then mean and 95 % interval (Student's t) over agents, and the hits
at each stage once more by themselves:

* hit: of the trajectories that earn sparse reward under some training task, the share that goes to a
  task which rewards it;
* kept: the same of those that solve the task they were collected for;
* starved: share of training tasks that less than half a trajectory goes to, in expectation;
* TV: total variation between two draws of the same decision (z, actions, initial states, log Z);
* signal, noise: standard deviation of U between tasks and trajectories, and between draws, after the
  mean of each task and of each trajectory is taken out;
* seconds: of scoring all trajectories once, log Z included.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from rlkit_hfr import attach
from rlkit_hfr.experiments.runs.build import build_algorithm
from rlkit_hfr.experiments.settings.keys import ATTACH_KEYS
from rlkit_hfr.experiments.settings.variant import Variant, build_variant
from rlkit_hfr.relabelers import RelabelDecision, make_relabeler
from rlkit_hfr.relabelers.sampling import SamplingRelabeler

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "random": ("random", {}),
    "none": ("none", {}),
    "final-state": ("final-state", {}),
    "htr": ("htr", {}),
    "htr, clustered": ("htr", {"episodes": "clustered"}),
    "cds": ("cds", {}),
    "hipi-sampling": ("hipi-sampling", {}),
    "htr-sampling": ("htr-sampling", {}),
    "air": ("air", {}),
    "air, critic's rewards": ("air", {"returns": "critic"}),
    "hipi": ("hipi", {}),
    "hipi-trajectory": ("hipi-trajectory", {}),
    "hfr-bellman": ("hfr-bellman", {}),
    "hfr": ("hfr", {}),
    "hfr, pooled": ("hfr", {"normaliser": "pooled"}),
    "hfr, pooled-mean": ("hfr", {"normaliser": "pooled-mean"}),
    "hfr, contexts": ("hfr", {"normaliser": "contexts"}),
    "hfr, trajectories": ("hfr", {"normaliser": "trajectories"}),
    "hfr, off": ("hfr", {"normaliser": "off"}),
    "hfr, a sample of z": ("hfr", {"latent": "sample"}),
    "hfr, 6 samples of z": ("hfr", {"latent": "sample", "num_latents": 6}),
    "hfr, contexts, a sample of z": ("hfr", {"normaliser": "contexts", "latent": "sample"}),
    "hfr, algorithm 1": ("hfr", {"normaliser": "trajectories", "latent": "sample"}),
}
WITH_TEMPERATURE = ("hipi", "hipi-sampling", "hipi-trajectory", "hfr-bellman", "hfr")
BATCH = 20
FIGURES = ("hit", "kept", "starved", "TV", "signal", "noise", "seconds")


class AsBatches:
    """A relabeler of sampled batches, asked about trajectories: the transitions of `BATCH` trajectories are
    a batch of all training tasks, and a trajectory goes where its transitions go."""

    def __init__(self, relabeler: SamplingRelabeler) -> None:
        self._relabeler, self.name = relabeler, relabeler.name

    def begin_iteration(self, iteration: int) -> None:
        self._relabeler.begin_iteration(iteration)

    def decide(self, paths: Sequence[Any], sources: Sequence[Any], scorer: Any, rng: Any) -> list[Any]:
        decisions: list[Any] = []
        tasks = scorer.candidate_tasks
        for start in range(0, len(paths), BATCH):
            part = paths[start : start + BATCH]
            keys = ("observations", "actions", "rewards", "next_observations", "terminals")
            rows = {key: np.concatenate([path[key] for path in part]) for key in keys}
            infos = part[0]["env_infos"]
            rows["env_infos"] = {
                key: np.concatenate([path["env_infos"][key] for path in part]) for key in infos
            }
            lengths = [len(path["rewards"]) for path in part]
            own = np.repeat([tasks.index(task) for task in sources[start : start + BATCH]], lengths)
            scores = self._relabeler.score_batch(rows, own, tasks, scorer)
            ends = np.cumsum(lengths)[:-1]
            for probs, values in zip(
                np.split(scores.probs, ends), np.split(scores.scores, ends), strict=True
            ):
                decisions.append(
                    RelabelDecision(tasks[0], probs.mean(axis=0), values.mean(axis=0), scores.log_partition)
                )
        return decisions


def double_centred(utilities: np.ndarray) -> np.ndarray:
    """Utilities (..., N, K) less the mean of each trajectory and of each task."""
    rows = utilities - utilities.mean(axis=-1, keepdims=True)
    return rows - rows.mean(axis=-2, keepdims=True)


def figures_of(
    decisions: Sequence[Sequence[Any]], earned: np.ndarray, sources: np.ndarray
) -> dict[str, float]:
    """decisions: of several draws on the same N trajectories; earned: (N, K), whether a
    trajectory earns sparse reward under each task; sources: (N,) places of the tasks
    they were collected for.
    """
    probs = np.array([[decision.probs for decision in draw] for draw in decisions])  # (draws, N, K)
    utilities = np.array([[decision.utilities for decision in draw] for draw in decisions])
    mass = (probs * earned).sum(axis=-1).mean(axis=0)  # (N,) on tasks that reward the trajectory
    useful, solved = earned.any(axis=1), earned[np.arange(len(sources)), sources]
    centred = double_centred(utilities)
    noise = float(np.sqrt(centred.var(axis=0, ddof=1).mean()))
    return {
        "hit": float(mass[useful].mean()) if useful.any() else math.nan,
        "kept": float(mass[solved].mean()) if solved.any() else math.nan,
        "starved": float(np.mean(probs[0].sum(axis=0) < 0.5)),
        "TV": float(0.5 * np.abs(probs[0] - probs[1]).sum(axis=-1).mean()),
        "signal": float(np.sqrt(np.maximum(centred.mean(axis=0).var() - noise**2 / len(decisions), 0.0))),
        "noise": noise,
    }


def fresh_paths(algorithm: Any, number: int, rng: np.random.Generator) -> tuple[list[Any], np.ndarray]:
    """Trajectories of random training tasks, every other twenty with z from the posterior,
    and the places of their tasks.
    """
    agent, tasks = algorithm.agent, algorithm.train_tasks
    places = rng.integers(len(tasks), size=number)
    paths: list[Any] = []
    for start in range(0, number, 20):
        chosen = [tasks[place] for place in places[start : start + 20]]
        agent.clear_z(num_tasks=len(chosen))
        if (start // 20) % 2:
            with torch.no_grad():
                agent.infer_posterior(torch.cat([algorithm.sample_context(task) for task in chosen]))
        paths += algorithm.sampler.obtain_paths(chosen)
    return paths, places


def measure(
    algorithm: Any, scorer: Any, methods: dict[str, Any], number: int, draws: int, seed: int
) -> list[dict[str, Any]]:
    """A row of figures per method, on `number` fresh trajectories of the agent as it is."""
    rng = np.random.default_rng(seed)
    paths, places = fresh_paths(algorithm, number, rng)
    sources = [algorithm.train_tasks[place] for place in places]
    earned = np.stack([(scorer.goal_distances(path) <= 1.0).any(axis=1) for path in paths])
    rows = []
    for name, relabeler in methods.items():
        decisions, seconds = [], []
        for _ in range(draws):
            scorer.refresh()  # every draw has initial states, latents and log Z of its own
            relabeler.begin_iteration(0)
            started = time.perf_counter()
            with scorer.networks.isolated():
                decisions.append(relabeler.decide(paths, sources, scorer, rng))
            seconds.append(time.perf_counter() - started)
        figures = figures_of(decisions, earned, places)
        rows.append(
            {
                "method": name,
                **figures,
                "seconds": float(np.median(seconds)),
                "useful": float(earned.any(axis=1).mean()),
            }
        )
    scorer.forget_rewards()
    return rows


def at_temperatures(temperatures: Sequence[float]) -> dict[str, tuple[str, dict[str, Any]]]:
    """`METHODS`, and those that have a temperature once more at each of `temperatures`."""
    return METHODS | {
        f"{name}, temperature {temperature:g}": (relabeler, {**options, "temperature": temperature})
        for temperature in temperatures
        for name, (relabeler, options) in METHODS.items()
        if relabeler in WITH_TEMPERATURE
    }


def measured_run(variant: Variant, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Train one agent and measure every method at each stage."""
    env, seed = variant["env_name"], variant["seed"]
    algorithm = build_algorithm(variant, torch.device("cpu"))
    iterations = algorithm.num_iterations
    stages = {max(1, round(share * iterations)): share for share in args.stages}
    given = variant["relabel_params"]
    trainer = make_relabeler(
        variant["relabeler"], **{key: value for key, value in given.items() if key not in ATTACH_KEYS}
    )
    # as much as any of the methods asks for
    trainer.stored_trajectories = 40
    trainer.stored_initial_states = given.get("num_initial_states", 64)
    attached = {key: value for key, value in given.items() if key in ATTACH_KEYS}
    relabeling = attach(algorithm, trainer, seed=seed, **attached)
    scorer, memory = relabeling.scorer, relabeling.scorer.memory
    methods = {}
    for name, (relabeler, options) in at_temperatures(args.temperature).items():
        own = {"num_initial_states": memory.initial_states} if relabeler == "hfr" else {}
        method = make_relabeler(relabeler, **own, **options)
        methods[name] = AsBatches(method) if isinstance(method, SamplingRelabeler) else method
    rows: list[dict[str, Any]] = []

    def at_epoch_end(row: dict[str, Any]) -> None:
        iteration = row["Epoch"] + 1
        if iteration in stages:
            new = measure(algorithm, scorer, methods, args.paths, args.draws, seed)
            rows.extend({"env": env, "seed": seed, "stage": stages[iteration], **figures} for figures in new)
            print(f"{env}, seed {seed}: iteration {iteration} of {iterations}", file=sys.stderr, flush=True)

    observing = _observers(methods)
    decide = relabeling.relabeler.observe

    def observe(paths: Sequence[Any], scorer: Any) -> None:
        decide(paths, scorer)
        for method in observing:
            method.observe(paths, scorer)

    relabeling.relabeler.observe = observe  # type: ignore[method-assign]
    algorithm.on_epoch_end = at_epoch_end
    algorithm.train()
    return rows


def _observers(methods: dict[str, Any]) -> list[Any]:
    """The methods that remember what was collected, which they are told of as in training."""
    return [method for method in methods.values() if method.name == "air"]


def interval(values: np.ndarray) -> float:
    """Half the width of the 95 % interval of a mean (Student's t)."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return math.nan
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))


def over_agents(rows: Sequence[dict[str, Any]], figure: str) -> str:
    """A figure as text: each agent's mean over its stages, then mean and interval over agents."""
    agents: dict[int, list[float]] = {row["seed"]: [] for row in rows}
    for row in rows:
        if math.isfinite(row[figure]):
            agents[row["seed"]].append(row[figure])
    means = np.array([np.mean(values) for values in agents.values() if values])
    if not len(means):
        return "–"
    half = interval(means)
    return f"{means.mean():.3g}" + ("" if math.isnan(half) else f" ± {half:.2g}")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown of the rows of one family: a line a method, every figure."""
    lines = ["| method | " + " | ".join(FIGURES) + " |", "|---" * (len(FIGURES) + 1) + "|"]
    for method in dict.fromkeys(row["method"] for row in rows):
        chosen = [row for row in rows if row["method"] == method]
        lines.append(f"| {method} | " + " | ".join(over_agents(chosen, figure) for figure in FIGURES) + " |")
    return "\n".join(lines)


def hits_by_stage(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown of the rows of one family: a line a method, the hits at each stage of training."""
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    lines = ["| method | " + " | ".join(f"{stage:.0%}" for stage in stages) + " |"]
    lines.append("|---" * (len(stages) + 1) + "|")
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        cells = [[row for row in own if row["stage"] == stage] for stage in stages]
        lines.append(f"| {method} | " + " | ".join(over_agents(cell, "hit") for cell in cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    families = ["sparse-point-robot", "sawyer-push", "sawyer-reach", "cheetah-vel-sparse"]
    parser.add_argument("--env", nargs="+", default=families, help=f"(default: {' '.join(families)})")
    parser.add_argument("--seeds", type=int, default=2, help="agents of each family (default: 2)")
    parser.add_argument(
        "--stages",
        type=float,
        nargs="+",
        default=[0.15, 0.5, 1.0],
        help="shares of the training (default: .15 .5 1)",
    )
    parser.add_argument(
        "--paths", type=int, default=300, help="fresh trajectories of each agent (default: 300)"
    )
    parser.add_argument("--draws", type=int, default=4, help="repetitions of each decision (default: 4)")
    parser.add_argument(
        "--temperature",
        type=float,
        nargs="+",
        default=[],
        help="measure every softmax at these too, in rows of their own (0: hard-max)",
    )
    parser.add_argument(
        "--trained-with", default="hfr", help="the relabeler that the agents are trained with (default: hfr)"
    )
    parser.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the training",
    )
    parser.add_argument("--out", type=Path, help="also write the rows to this JSON file")
    args = parser.parse_args()
    if args.draws < 2:
        parser.error(f"--draws must be at least 2, of which the noise is told, got {args.draws}")
    if not all(0.0 < share <= 1.0 for share in args.stages):
        parser.error(f"--stages must be shares of the training, above 0 and at most 1, got {args.stages}")
    if not all(temperature >= 0.0 for temperature in args.temperature):
        parser.error(f"--temperature must be zero (hard-max) or more, got {args.temperature}")
    if args.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {args.seeds}")
    if args.out is not None and not args.out.resolve().parent.is_dir():
        parser.error(f"--out {args.out}: there is no folder {args.out.parent}")
    try:
        variants = [
            build_variant(env, args.trained_with, "quick", None, args.assignments, seed)
            for env in args.env
            for seed in range(args.seeds)
        ]
    except ValueError as error:
        parser.error(str(error))
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for variant in variants:
        rows += measured_run(variant, args)
        if args.out is not None:
            args.out.write_text(json.dumps(rows, indent=1))
    for env in args.env:
        print(f"\n{env}: {args.seeds} agents at {len(args.stages)} stages, {args.paths} trajectories each\n")
        chosen = [row for row in rows if row["env"] == env]
        print(table(chosen), "\nHits by stage of training:\n", hits_by_stage(chosen), sep="\n")


if __name__ == "__main__":
    main()
