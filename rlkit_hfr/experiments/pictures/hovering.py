"""The didactic example of HFR section 4: which task should a trajectory over the
penalty square be used for?

An agent that was trained by PEARL with HFR on Four-Corners collects trajectories, which
log Z is taken over. Then the return (HIPI) and the utility (HFR) of one trajectory that
hovers over the penalty square of the top-right task are compared, and both relabeling
distributions drawn.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from env_wrappers import HindsightEnv, make_env
from rlkit_hfr.distribution import log_partition, relabel_probs
from rlkit_hfr.experiments.pictures.adaptation import load_trained
from rlkit_hfr.experiments.pictures.choices import choices, draw_choices
from rlkit_hfr.experiments.runs.build import attach_relabeler
from rlkit_hfr.experiments.runs.checkpoint import read_variant
from rlkit_hfr.experiments.settings.draft import Variant
from rlkit_hfr.experiments.settings.limits import check_seed
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.files import staged
from rlkit_hfr.paths import PathDict
from rlkit_hfr.pearl.evaluation import adapt
from rlkit_hfr.pearl.learner import Learner
from rlkit_hfr.relabelers.hfr import HFRRelabeler
from rlkit_hfr.scoring.scorer import Scorer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TASK_NAMES = ("top right", "top left", "bottom left", "bottom right")
_MOST = 10_000  # draws of z
# adaptations of each task, the trajectories of each, the last of which counts, and those that explore
_ADAPTATIONS, _TRAJECTORIES, _EXPLORING = 25, 20, 15
_COLOURS = ("tab:blue", "tab:purple", "tab:orange", "tab:green")


def hovering_path(length: int = 20) -> PathDict:
    """From the centre into the top-right penalty square, and there to and fro."""
    steps = np.full((length, 2), 0.1)
    steps[0] = 0.05
    steps[3:] = 0.05 * np.where(np.arange(length - 3) % 2, 1.0, -1.0)[:, None]
    positions = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]).astype(np.float32)
    return dict(
        observations=positions[:-1],
        actions=(steps / 0.1).astype(np.float32),
        next_observations=positions[1:],
        rewards=np.zeros((length, 1), np.float32),
        terminals=np.zeros((length, 1), bool),
        env_infos={"achieved": positions[1:]},
    )


@torch.no_grad()
def explain(path: PathDict, scorer: Scorer, relabeler: HFRRelabeler, samples: int) -> dict[str, list[float]]:
    """Returns, utilities and both relabeling distributions of a path, each a list over
    the four tasks.

    Utilities are averaged over `samples` draws of z. HIPI's distribution is its
    trajectory form (HIPI eq. 7): the softmax of the return, scaled as in training,
    minus the log mean exp of the returns of the task's stored trajectories.
    """
    scale = scorer.networks.reward_scale
    returns = torch.as_tensor(scorer.task_rewards(path).rewards.sum(axis=1)).double()
    stored = torch.stack(
        [
            torch.tensor(
                [
                    rows[:, -1].sum()
                    for rows in scorer.memory.trajectories(task, relabeler.num_partition_samples)
                ]
            )
            for task in scorer.candidate_tasks
        ],
        dim=1,
    )
    utilities = relabeler.utilities([path] * samples, scorer).double().mean(dim=0)
    log_z = relabeler.log_partition(scorer)
    assert log_z is not None
    columns = {
        "return": returns,
        "utility": utilities,
        "log Z": log_z,
        "q (HIPI, returns)": relabel_probs(scale * returns, log_partition(scale * stored)),
        "q (HIPI, returns, without Z)": relabel_probs(scale * returns),
        "q (HFR, utilities)": relabel_probs(utilities, log_z),
        "q (HFR, utilities, without Z)": relabel_probs(utilities),
    }
    return {name: [float(x) for x in values] for name, values in columns.items()}


def draw(
    path: PathDict, figures: dict[str, list[float]], env: HindsightEnv, file: Path, subtitle: str
) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, (world, values, probs) = plt.subplots(1, 3, figsize=(14, 4.4), constrained_layout=True)
    _draw_world(world, path, env)
    _draw_values(values, figures)
    _draw_probabilities(probs, figures)
    for axis in (values, probs):
        axis.set_xticks(range(len(TASK_NAMES)), TASK_NAMES, fontsize=9)
        axis.axhline(0.0, color="black", lw=0.8)
    fig.suptitle(subtitle)
    fig.savefig(file, dpi=110)


def _draw_world(axis: Axes, path: PathDict, env: HindsightEnv) -> None:
    from matplotlib.patches import Circle, Rectangle

    low, high = 0.1, 0.5
    for (gx, gy), colour in zip(env.tasks, _COLOURS, strict=True):
        axis.add_patch(Circle((gx, gy), 0.2, color=colour, alpha=0.9))
        corner = (low if gx > 0 else -high, low if gy > 0 else -high)
        axis.add_patch(Rectangle(corner, high - low, high - low, color=colour, alpha=0.25))
    points = np.concatenate([path["observations"][:1], path["next_observations"]])
    axis.plot(*points.T, "k.-", lw=1, label="trajectory")
    axis.set(
        xlim=(-1.3, 1.3),
        ylim=(-1.3, 1.3),
        aspect="equal",
        xlabel="x",
        ylabel="y",
        title="Goals (discs), penalty squares, trajectory",
    )
    axis.legend(loc="upper center")


def _draw_values(axis: Axes, figures: dict[str, list[float]]) -> None:
    axis.bar(range(4), figures["utility"], color=_COLOURS, edgecolor="black")
    for i, (utility, value) in enumerate(zip(figures["utility"], figures["return"], strict=True)):
        axis.annotate(
            f"U {utility:.0f}\nreturn {value:.0f}",
            (i, utility),
            ha="center",
            va="top" if utility < 0 else "bottom",
            fontsize=9,
        )
    axis.set(title="Utility and return under each task", ylabel="utility (scaled return after adapting)")
    axis.margins(y=0.2)


def _draw_probabilities(axis: Axes, figures: dict[str, list[float]]) -> None:
    at, width = np.arange(4), 0.38
    axis.bar(
        at - width / 2,
        figures["q (HIPI, returns)"],
        width,
        label="HIPI (return)",
        color="0.75",
        edgecolor="black",
        hatch="//",
    )
    axis.bar(
        at + width / 2,
        figures["q (HFR, utilities)"],
        width,
        label="HFR (utility)",
        color=_COLOURS,
        edgecolor="black",
    )
    axis.set(title="Relabeling distribution q(task | trajectory)", ylabel="probability", ylim=(0, 1.15))
    axis.legend(loc="upper center", ncols=2)


def check_request(args: argparse.Namespace) -> None:
    """ValueError for a command line that can't be served, before anything is trained."""
    if not 1 <= args.samples <= _MOST:
        raise ValueError(f"--samples must be from 1 to {_MOST:,}, got {args.samples}")
    check_seed(args.seed, "--seed")
    if args.train:
        if args.run is not None:
            raise ValueError("--train makes an agent and --run names one; leave out one of the two")
        _check_variant(
            build_variant("four-corners", "hfr", args.preset or "quick", None, args.assignments, args.seed)
        )
    elif args.preset is not None or args.assignments:
        raise ValueError("--preset and --set are settings of --train; add it")


def _check_variant(variant: Variant) -> None:
    found = [variant[name] for name in ("env_name", "algorithm", "relabeler", "n_train_tasks")]
    if found != ["four-corners", "pearl", "hfr", 4]:
        raise ValueError(
            "the example explains hfr on all 4 tasks of four-corners under pearl, "
            f"got {found[2]} on {found[3]} tasks of {found[0]} under {found[1]}"
        )


def show_example(run: Path, output: Path, samples: int, seed: int) -> None:
    """Explain the agent of a run's folder, and draw."""
    if not run.exists():
        raise ValueError(f"there is no agent in {run}; name a run's folder by --run, or make one by --train")
    variant = read_variant(run)
    _check_variant(variant)
    algorithm = load_trained(run, "params.pkl")
    with staged(output) as folder:
        _explain_agent(algorithm, variant, folder, samples, seed)
    print(f"\nPictures: {output / 'four_corners.png'}, {output / 'choices.png'}")


def _explain_agent(algorithm: Learner, variant: Variant, folder: Path, samples: int, seed: int) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    relabeling = attach_relabeler(algorithm, variant)
    tasks, length = algorithm.train_tasks, algorithm.max_path_length
    algorithm.collect_data(tasks, 20 * length)
    algorithm.collect_data(tasks, 20 * length, update_posterior=True)
    path = hovering_path()
    scorer = relabeling.scorer
    scorer.refresh()
    config = dataclasses.replace(
        algorithm.config,
        num_evals=_ADAPTATIONS,
        num_exp_traj_eval=_EXPLORING,
        num_steps_per_eval=_TRAJECTORIES * length,
    )
    solved = float(adapt(algorithm.agent, algorithm.sampler, tasks, config)[0].successes[:, -1].mean())
    figures = explain(path, scorer, relabeling.relabeler, samples)  # type: ignore[arg-type]
    algorithm.agent.clear_z(num_tasks=4)
    history = [p for _ in range(5) for p in algorithm.sampler.obtain_paths(tasks)]
    shares = choices(path, tasks[0], scorer, history, samples, rng)
    subtitle = f"Four-Corners, an agent that solves {solved:.0%} in {_TRAJECTORIES} trajectories"
    draw(path, figures, make_env("four-corners"), folder / "four_corners.png", subtitle)
    caption = f"Where each method sends the hovering trajectory of the top-right task\n{subtitle}"
    draw_choices(shares, TASK_NAMES, folder / "choices.png", caption)
    content = {"tasks": TASK_NAMES, **figures, "choices": shares, "success": solved, "variant": variant}
    (folder / "four_corners.json").write_text(json.dumps(content, indent=2) + "\n")
    _print_tables(figures, shares)
    print(
        f"\nsolved by the last of {_TRAJECTORIES} trajectories, {_EXPLORING} of which explore: {solved:.0%}"
    )


def _print_tables(figures: dict[str, list[float]], shares: dict[str, list[float]]) -> None:
    print("\n" + f"{'':32}" + "".join(f"{name:>14}" for name in TASK_NAMES))
    for name, row in figures.items():
        print(
            f"{name:32}"
            + "".join(f"{value:14.3f}" if name.startswith("q") else f"{value:14.1f}" for value in row)
        )
    print("\nshare of the path that each method sends to a task")
    for name, row in shares.items():
        print(f"{name:32}" + "".join(f"{value:14.2f}" for value in row))
