"""A trained agent adapts to a test task: pictures of its trajectories before and after,
and for MuJoCo families a film. No display is needed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import rlkit_hfr.experiments.pictures.headless  # isort: skip  # noqa: F401

import torch

from env_wrappers import HindsightEnv
from env_wrappers.base import path_info
from env_wrappers.mujoco_env import MujocoHindsightEnv
from rlkit_hfr.experiments.pictures.render import (
    Film,
    PhysicsRecorder,
    draw_path,
    draw_tasks,
    place_goal,
    save_gif,
)
from rlkit_hfr.experiments.runs.build import build_algorithm
from rlkit_hfr.experiments.runs.checkpoint import read_variant
from rlkit_hfr.experiments.runs.journal import check_sums
from rlkit_hfr.files import load_sealed
from rlkit_hfr.paths import PathDict, recorded_rewards
from rlkit_hfr.pearl.evaluation import adapt, path_success
from rlkit_hfr.pearl.learner import Learner

_COLUMNS = 4  # of a picture


def load_trained(run: Path, snapshot: str) -> Learner:
    """The algorithm of a run's folder with its trained networks.

    ValueError if they are not there, do not fit, or if a finished run was edited since.
    """
    variant = read_variant(run)
    check_sums(run)
    try:
        networks, _ = load_sealed(run / snapshot)
    except OSError as error:
        raise ValueError(
            f"can't read {run / snapshot}: {error.strerror}; name another by --snapshot"
        ) from None
    except ValueError as error:
        raise ValueError(f"{run / snapshot} is damaged or no snapshot ({error})") from None
    algorithm = build_algorithm(variant, torch.device("cpu"))
    try:
        algorithm.load_snapshot(networks)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"{run / snapshot} does not fit the settings in variant.json ({str(error).splitlines()[0]})"
        ) from None
    algorithm.training_mode(False)
    return algorithm


def headline_of(run: Path, number: int) -> str:
    """What a picture is of: environment, method, seed, and which of the test tasks."""
    variant = read_variant(run)
    return f"{variant['env_name']}, {variant['relabeler']}, seed {variant['seed']}: test task {number}"


def watch(algorithm: Learner, task: int, out: Path, seed: int, headline: str) -> list[Path]:
    """Adapt once to `task`, print the return of each trajectory, write the pictures;
    returns their files.
    """
    print(headline)
    env, config = algorithm.env, algorithm.config
    films = isinstance(env, MujocoHindsightEnv)
    if isinstance(env, MujocoHindsightEnv):
        algorithm.sampler.env = PhysicsRecorder(env)
    torch.manual_seed(seed)
    paths, *_ = adapt(algorithm.agent, algorithm.sampler, [task], config)[1]
    names = [
        f"trajectory {j}, {'exploring' if j <= config.num_exp_traj_eval else 'adapted'}"
        for j in range(1, len(paths) + 1)
    ]
    returns = [float(recorded_rewards(path, config.sparse_rewards).sum()) for path in paths]
    for name, value, path in zip(names, returns, paths, strict=True):
        success = path_success(path)
        told = "" if math.isnan(success) else f", success {success:.0f}"
        print(f"{name}: return {value:.2f} in {len(path['rewards'])} steps{told}")
    if not isinstance(env, HindsightEnv):
        print(
            "no picture: it needs the task vectors and features of a HindsightEnv; see docs/environments.md",
            file=sys.stderr,
        )
        return []
    titles = [f"{name}\nreturn {value:.2f}" for name, value in zip(names, returns, strict=True)]
    files = [out / "adaptation.png"]
    _picture(env, algorithm.train_tasks, task, paths, titles, headline, files[0])
    if films:
        try:
            film = Film(env, place_goal(env, task))
            frames = [
                frame
                for path in (paths[0], paths[-1])
                for frame in film.frames(path_info(path, "physics")[::2])
            ]
            save_gif(out / "adaptation.gif", frames)
            files.append(out / "adaptation.gif")
        except ValueError as error:
            print(f"no film: {error}", file=sys.stderr)
    return files


def _picture(
    env: HindsightEnv,
    train_tasks: Sequence[int],
    task: int,
    paths: Sequence[PathDict],
    titles: Sequence[str],
    headline: str,
    file: Path,
) -> None:
    """A panel for each trajectory, at most `_COLUMNS` in a row."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    columns = min(_COLUMNS, len(paths))
    rows = -(-len(paths) // columns)
    fig, axes = plt.subplots(
        rows,
        columns,
        figsize=(2.6 * columns, 2.9 * rows + 0.6),
        constrained_layout=True,
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for axis in axes.flat[len(paths) :]:
        axis.set_visible(False)
    for j, axis in enumerate(axes.flat[: len(paths)]):
        draw_tasks(axis, env, train_tasks, color="0.85")
        draw_tasks(axis, env, [task], color="tab:red")
        draw_path(axis, env, path_info(paths[j], "achieved"), lw=1.5)
        axis.set_title(titles[j], fontsize=9)
        axis.label_outer()
    fig.suptitle(f"{headline}\nthe task is red, training tasks are gray", fontsize=11)
    fig.savefig(file, dpi=100)
    plt.close(fig)
