"""What a task family looks like: its tasks with random trajectories in task space, the
rewards of one trajectory under every task, and for MuJoCo families a rendered film. No
display is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlkit_hfr.paths import Info, PathDict

import rlkit_hfr.experiments.pictures.headless  # isort: skip  # noqa: F401

import numpy as np

from env_wrappers import HindsightEnv, make_env
from env_wrappers.mujoco_env import MujocoHindsightEnv
from rlkit_hfr.experiments.pictures.render import (
    Film,
    PhysicsRecorder,
    draw_path,
    draw_tasks,
    place_goal,
    save_gif,
)
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.references import file_name


def show(name: str, out: Path, number: int, seed: int) -> list[Path]:
    """Write the pictures of one family; returns their files."""
    variant = build_variant(name, "none", "paper", None, [], seed)
    env = make_env(name, seed=seed, **variant["env_params"])
    if not isinstance(env, HindsightEnv):
        raise ValueError(
            f"{name} is no HindsightEnv, and pictures need the task vectors and features of one: "
            "see docs/environments.md"
        )
    n_train, horizon = variant["n_train_tasks"], variant["algo_params"]["max_path_length"]
    files = [out / f"{file_name(name)}.png"]
    rng = np.random.default_rng(seed)
    paths = [random_path(env, int(rng.integers(len(env.tasks))), horizon, rng) for _ in range(number)]
    panels = (
        [("what the agent sees", env.reset_task(0).reshape(env.image_shape)[-1])]
        if hasattr(env, "image_shape")
        else []
    )
    if isinstance(env, MujocoHindsightEnv):
        try:
            frames = Film(env, place_goal(env, paths[0]["task"])).frames(paths[0]["physics"][:100:2])
            film = out / f"{file_name(name)}.gif"
            save_gif(film, frames)
            files.insert(0, film)
            panels.insert(0, ("rendered", frames[len(frames) // 2]))
        except ValueError as error:
            print(f"no film: {error}", file=sys.stderr)
    _picture(name, env, paths, n_train, panels, files[-1])
    return files


def random_path(
    env: HindsightEnv,
    task: int,
    horizon: int,
    rng: np.random.Generator,
    uniform: bool = False,
    stickiness: float = 0.0,
) -> PathDict:
    """An episode of actions that lean one way throughout, so that it gets somewhere:
    tanh(mean + noise), the mean drawn once; or of uniform actions. stickiness: the
    probability that an action is the one before it. Its env_infos are those of the steps;
    physics: the simulator's states.
    """
    recorded = PhysicsRecorder(env) if isinstance(env, MujocoHindsightEnv) else env
    recorded.reset_task(task)
    lean, done = 0.5 * rng.standard_normal(env.action_space.shape), False
    infos: list[Info] = []
    while not done and len(infos) < horizon:
        if not (infos and stickiness and rng.random() < stickiness):
            action = (
                rng.uniform(-1.0, 1.0, env.action_space.shape)
                if uniform
                else np.tanh(lean + rng.standard_normal(env.action_space.shape))
            )
        _, _, done, info = recorded.step(action)
        infos.append(info)
    path = dict(task=task, env_infos=infos, achieved=np.stack([info["achieved"] for info in infos]))
    return {**path, "physics": [info["physics"] for info in infos]} if "physics" in infos[0] else path


def _picture(
    name: str,
    env: HindsightEnv,
    paths: Sequence[PathDict],
    n_train: int,
    panels: list[tuple[str, np.ndarray]],
    file: Path,
) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # As narrow as a column of the README, where it is shown at two thirds of its size.
    fig = plt.figure(figsize=(6.4, 6.0), layout=ConstrainedLayoutEngine(h_pad=0.08, hspace=0.06))
    rows = fig.add_gridspec(2, 1, height_ratios=[1.3, 1])
    upper = rows[0].subgridspec(1, 1 + len(panels))
    world: Any = fig.add_subplot(upper[0])
    contest: Any = fig.add_subplot(rows[1])
    draw_tasks(world, env, range(n_train))
    for path in paths:
        draw_path(world, env, path["achieved"], lw=1)
    world.set_title(f"{n_train} tasks, {len(paths)} trajectories")
    world.xaxis.label.set_fontsize(9)
    world.yaxis.label.set_fontsize(9)
    results = [env.compute_rewards(path, range(n_train)) for path in paths]
    kind = "reward" if results[0].sparse_rewards is None else "sparse reward"
    grids = [result.rewards if result.sparse_rewards is None else result.sparse_rewards for result in results]
    contested = max(
        grids, key=lambda grid: grid.sum(axis=1).std()
    )  # the trajectory over which tasks differ most
    image = contest.imshow(
        contested[np.argsort(contested.sum(axis=1))[::-1]],
        aspect="auto",
        interpolation="nearest",
        cmap="viridis",
    )
    contest.set(xlabel="step", ylabel="task, by return", title=f"{kind} of one trajectory under every task")
    contest.yaxis.get_major_locator().set_params(integer=True)
    fig.colorbar(image, ax=contest, label=kind)
    for i, (title, pixels) in enumerate(panels, 1):
        axis = fig.add_subplot(upper[i])
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        axis.set(title=title, xticks=[], yticks=[])
    fig.suptitle(name, fontsize=14, fontweight="bold")
    fig.savefig(file, dpi=100)
    plt.close(fig)
