"""What a GPU brings: ``python benchmarks/gpu.py``; without one, try ``--device cpu``.

Updates, scoring, a whole iteration and several runs at once, on this machine's CPU and
on the device, with the same weights and data; what counts is the ratio. OYSTER_PATH
adds oyster's own update on the same device; for the release of HFR there is
``HFR_PATH=... python benchmarks/release.py --device cuda``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from iteration import phases
from timing import alternating_seconds
from update import fill_alike, same_weights

from rlkit_hfr import attach
from rlkit_hfr.experiments.runs.build import build_algorithm
from rlkit_hfr.experiments.runs.checkouts import import_host
from rlkit_hfr.experiments.runs.foreign import build_foreign
from rlkit_hfr.experiments.settings.variant import Variant, build_variant

CPU = torch.device("cpu")


def table(title: str, columns: Sequence[str], rows: Iterator[Sequence[str]]) -> None:
    print(f"\n## {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def finished(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def settings_of(args: argparse.Namespace, env: str, *more: str) -> Variant:
    """Those of the preset with few tasks, on whose number an update does not depend."""
    small = ["n_train_tasks=16", "n_eval_tasks=2", "num_iterations=1", "replay_buffer_size=20000"]
    return build_variant(env, "none", args.preset, None, [*small, *more], 0)


# An update.
def updates(algorithm: Any, device: torch.device, number: int) -> Callable[[], int]:
    own = hasattr(algorithm, "config")
    indices = list(range(algorithm.config.meta_batch if own else algorithm.meta_batch))

    def work() -> int:
        for _ in range(number):
            algorithm._do_training(indices)
        finished(device)
        return number

    return work


def draws(algorithm: Any, number: int) -> Callable[[], int]:
    indices = list(range(algorithm.config.meta_batch))

    def work() -> int:
        for _ in range(number):
            algorithm.sample_sac(indices)
            algorithm.sample_context(indices)
        return number

    return work


def update_rows(args: argparse.Namespace, device: torch.device) -> Iterator[Sequence[str]]:
    for env in args.env:
        single, half = settings_of(args, env), settings_of(args, env, "algo_params.precision=bf16")
        sides = {
            "cpu": build_algorithm(single, CPU), "fp32": build_algorithm(single, device),
            "bf16": build_algorithm(half, device),
        }  # fmt: skip
        if args.oyster:
            sides["oyster"] = build_foreign("oyster", single, device)
        for name in list(sides)[1:]:
            same_weights(sides["cpu"], sides[name])
        fill_alike(list(sides.values()), 16, 600)
        places = {name: CPU if name == "cpu" else device for name in sides}
        work = {name: updates(side, places[name], args.updates) for name, side in sides.items()}
        seconds = alternating_seconds({**work, "draw": draws(sides["fp32"], args.updates)}, args.repeats)
        config = sides["cpu"].config
        what = f"`{env}`, {config.meta_batch} x {config.batch_size}, context {config.embedding_batch_size}"
        for name in ("fp32", "bf16"):
            here, oyster = seconds[name], ("–", "–")
            if args.oyster:
                oyster = (f"{1e3 * seconds['oyster']:.2f} ms", f"{seconds['oyster'] / here:.1f}")
            yield (what, name, f"{1e3 * seconds['cpu']:.2f} ms", f"{1e3 * here:.2f} ms",
                   f"{seconds['cpu'] / here:.1f}", f"{seconds['draw'] / here:.0%}", *oyster)  # fmt: skip


# Scoring.
def decisions(relabeling: Any, paths: list[Any], device: torch.device) -> Callable[[], int]:
    scorer, rng = relabeling.scorer, np.random.default_rng(0)

    def work() -> int:
        with scorer.networks.isolated():
            relabeling.relabeler.decide(paths, [0] * len(paths), scorer, rng)
        finished(device)
        return len(paths)

    return work


def partitions(relabeling: Any, device: torch.device) -> Callable[[], None]:
    def work() -> None:
        relabeling.scorer.refresh()
        with relabeling.scorer.networks.isolated():
            relabeling.relabeler.log_partition(relabeling.scorer)
        finished(device)

    return work


def scoring_rows(args: argparse.Namespace, device: torch.device) -> Iterator[Sequence[str]]:
    number, horizon = args.tasks, args.horizon
    of_tasks = [f"n_train_tasks={number}", f"max_path_length={horizon}", "replay_buffer_size=20000"]
    variant = build_variant("cheetah-vel", "none", args.preset, None, [*of_tasks, "n_eval_tasks=1"], 0)
    sides = {"cpu": ("fp32", CPU), "fp32": ("fp32", device), "bf16": ("bf16", device)}
    algorithms = {name: build_algorithm(variant, where) for name, (_, where) in sides.items()}
    relabelings: dict[str, Any] = {}
    for name, (precision, _) in sides.items():
        same_weights(algorithms["cpu"], algorithms[name])
        options: dict[str, Any] = dict(relabel_fraction=0.0, num_initial_states=args.num_initial_states)
        relabelings[name] = attach(algorithms[name], "hfr", precision=precision, seed=0, **options)
    fill_alike(list(algorithms.values()), number, horizon)
    first = algorithms["cpu"]
    first.agent.clear_z(num_tasks=4)
    paths = first.sampler.obtain_paths([0] * 4)
    work: dict[str, dict[str, Callable[[], int | None]]] = {
        "a path": {name: decisions(r, paths, sides[name][1]) for name, r in relabelings.items()},
        "log Z": {name: partitions(r, sides[name][1]) for name, r in relabelings.items()},
    }
    for what, of_sides in work.items():
        seconds = alternating_seconds(of_sides, args.repeats)
        for name in ("fp32", "bf16"):
            yield (what, name, f"{1e3 * seconds['cpu']:.1f} ms", f"{1e3 * seconds[name]:.1f} ms",
                   f"{seconds['cpu'] / seconds[name]:.1f}")  # fmt: skip


# A whole iteration.
def iteration_rows(args: argparse.Namespace, device: torch.device) -> Iterator[Sequence[str]]:
    for env in args.env:
        places = {"cpu": CPU, "device": device}
        rows = {
            name: phases(env, "hfr", args.preset, args.updates, [], where) for name, where in places.items()
        }  # fmt: skip
        whole = {name: sum(row.values()) for name, row in rows.items()}
        for name, row in rows.items():
            cells = [f"{seconds:.1f} s" for seconds in row.values()]
            yield (f"`{env}`", name, *cells, f"{whole[name]:.1f} s", f"{whole['cpu'] / whole[name]:.1f}")


# Several runs at once.
def _one_of_many(variant: Variant, device: str, number: int, threads: int, start: Any, results: Any) -> None:
    torch.set_num_threads(threads)
    where = torch.device(device)
    try:
        algorithm = build_algorithm(variant, where)
        fill_alike([algorithm], 16, 200)
        work = updates(algorithm, where, number)
        work()
    except BaseException:
        start.abort()  # or the others would wait for this one
        raise
    start.wait()
    started = time.perf_counter()
    work()
    results.put(time.perf_counter() - started)


def runs_rows(args: argparse.Namespace, device: torch.device) -> Iterator[Sequence[str]]:
    variant, spawn = settings_of(args, args.env[0]), multiprocessing.get_context("spawn")
    alone = 0.0
    for number in args.runs:
        start, results = spawn.Barrier(number, timeout=1_800), spawn.SimpleQueue()
        threads = max(1, (os.cpu_count() or 1) // number)
        given = (variant, device.type, args.updates, threads, start, results)
        processes = [spawn.Process(target=_one_of_many, args=given) for _ in range(number)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        if any(process.exitcode for process in processes):
            yield (str(number), "failed", "–")
            continue
        rate = number * args.updates / max(results.get() for _ in processes)
        alone = alone or rate / number
        yield (str(number), f"{rate:.1f}", f"{rate / alone:.2f}")


class Part(NamedTuple):
    title: str
    columns: tuple[str, ...]
    rows: Callable[[argparse.Namespace, torch.device], Iterator[Sequence[str]]]


_SIDES = ("CPU, fp32", "device", "ratio")
_PHASES = ("updates", "collection", "evaluation", "relabeling")
PARTS = {
    "update": Part(
        "An update",
        ("update", "precision", *_SIDES, "of which drawing the batch", "oyster on the device", "its ratio"),
        update_rows,
    ),
    "scoring": Part("Scoring by hfr", ("what", "precision", *_SIDES), scoring_rows),
    "iteration": Part("A whole iteration", ("preset", "on", *_PHASES, "sum", "ratio"), iteration_rows),
    "runs": Part("Runs at once", ("processes", "updates a second, of all", "ratio to one"), runs_rows),
}


def main() -> int:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--env", nargs="+", default=["cheetah-vel", "ant-goal", "sawyer-push"])
    parser.add_argument("--preset", choices=("paper", "quick"), default="paper")
    parser.add_argument("--updates", type=int, default=50, help="timed together, or scaled to an iteration's")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--tasks", type=int, default=100, help="candidate tasks of scoring")
    parser.add_argument("--horizon", type=int, default=200, help="steps of the paths that are scored")
    parser.add_argument("--num-initial-states", type=int, default=256)
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 2, 4, 8], help="of the first --env")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        missing = "this machine or this build of torch has no CUDA device"
        print(f"error: {missing}; --device cpu tries the program out without one", file=sys.stderr)
        return 2
    device = torch.device(args.device)
    args.oyster = bool(os.environ.get("OYSTER_PATH"))
    if args.oyster:
        import_host("oyster", Path(os.environ["OYSTER_PATH"]))
    name = torch.cuda.get_device_name() if args.device == "cuda" else "the CPU itself, to try the program out"
    processor = platform.processor() or platform.machine()
    print(f"Device: {name}. CPU: {processor}, {os.cpu_count()} cores, {torch.get_num_threads()} threads. "
          f"torch {torch.__version__}, CUDA {torch.version.cuda}. Preset {args.preset}.")  # fmt: skip
    for part in args.parts:
        table(PARTS[part].title, PARTS[part].columns, PARTS[part].rows(args, device))
    return 0


if __name__ == "__main__":
    sys.exit(main())
