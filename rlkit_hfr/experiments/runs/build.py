"""From a variant to a running algorithm."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from env_wrappers import make_env
from rlkit_hfr import Relabeling, attach
from rlkit_hfr.experiments.settings.variant import Variant
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.pearl.sac import PEARLSoftActorCritic, build_nets


def pick_device(name: str) -> torch.device:
    """ "auto" (CUDA where there is one), "cpu" or "cuda"; ValueError if there is no CUDA
    device.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "--device cuda: this machine or this build of torch has no CUDA device; use --device cpu or auto"
        )
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's global generators; environments and buffers
    have generators of their own.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (users' environments may draw from it)
    torch.manual_seed(seed)


def build_env(variant: Variant) -> Any:
    """The task family of a variant. ValueError if it does not take its env_params."""
    name, params = variant["env_name"], variant["env_params"]
    try:
        return make_env(name, seed=variant["seed"], **params)
    except (TypeError, OverflowError, IndexError) as error:
        given = ", ".join(f"{key}={value!r:.60}" for key, value in params.items())
        raise ValueError(f"{name} can't be built with {given} ({error})") from None


def records_sparse_rewards(env: Any) -> bool:
    """Whether a step's info has a sparse reward."""
    env.reset_task(0)
    return "sparse_reward" in env.step(np.zeros(env.action_space.shape))[3]


def build_algorithm(variant: Variant, device: torch.device, **options: Any) -> PEARLSoftActorCritic:
    """The environment and the PEARL of a variant, without relabeling. options: of the
    algorithm, which is silent and keeps no log of its own unless they say otherwise.
    """
    options = {"callbacks": (), "log_dir": None, **options}
    seed_everything(variant["seed"])
    env = build_env(variant)
    tasks = list(env.get_all_task_idx())
    config = PEARLConfig(**variant["algo_params"])
    if config.sparse_rewards and not records_sparse_rewards(env):
        raise ValueError(
            f"sparse_rewards is on, but {variant['env_name']} has none; "
            "turn it off or choose sparse-point-robot"
        )
    obs_dim, action_dim = (
        int(np.prod(space.shape or ())) for space in (env.observation_space, env.action_space)
    )
    image_shape = getattr(env, "image_shape", None)
    if image_shape is None and variant["pixel_encoder"] != "flat":
        raise ValueError(
            f"pixel_encoder {variant['pixel_encoder']!r} is for images, "
            f"and {variant['env_name']} has none; leave it at 'flat'"
        )
    nets = build_nets(
        obs_dim,
        action_dim,
        variant["latent_size"],
        variant["net_size"],
        config,
        image_shape,
        variant["pixel_encoder"],
        variant["encoder_size"],
    )
    train, test = tasks[: variant["n_train_tasks"]], tasks[-variant["n_eval_tasks"] :]
    algorithm = PEARLSoftActorCritic(env, train, test, nets, config, seed=variant["seed"], **options)
    algorithm.to(device)
    return algorithm


def attach_relabeler(algorithm: Any, variant: Variant) -> Relabeling:
    try:
        return attach(algorithm, variant["relabeler"], seed=variant["seed"], **variant["relabel_params"])
    except TypeError as error:
        raise ValueError(f"relabel_params can't be served ({error})") from None
