"""From a variant to a running algorithm."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from env_wrappers import make_env
from rlkit_hfr import Relabeling, attach
from rlkit_hfr.experiments.settings.algorithms import find_algorithm
from rlkit_hfr.experiments.settings.variant import Variant
from rlkit_hfr.mier import algorithm as mier
from rlkit_hfr.mier.config import MIERConfig
from rlkit_hfr.pearl import sac as pearl
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.pearl.learner import Learner
from rlkit_hfr.protocols import Env, HostAlgorithm, Spaces, TaskEnv


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


def records_sparse_rewards(env: Env) -> bool:
    """Whether a step's info has a sparse reward."""
    env.reset_task(0)
    return "sparse_reward" in env.step(np.zeros(env.action_space.shape))[3]


def build_algorithm(variant: Variant, device: torch.device, **options: object) -> Learner:
    """The environment and the algorithm of a variant, without relabeling. options: of the
    algorithm, which is silent and keeps no log of its own unless they say otherwise.
    """
    options = {"callbacks": (), "log_dir": None, **options}
    seed_everything(variant["seed"])
    env: TaskEnv = build_env(variant)
    tasks = list(env.get_all_task_idx())
    config = find_algorithm(variant["algorithm"]).config(**variant["algo_params"])
    if config.sparse_rewards and not records_sparse_rewards(env):
        raise ValueError(
            f"sparse_rewards is on, but {variant['env_name']} has none; "
            "turn it off or choose sparse-point-robot"
        )
    train, test = tasks[: variant["n_train_tasks"]], tasks[-variant["n_eval_tasks"] :]
    parts = BUILDERS[variant["algorithm"]](variant, env, config)
    algorithm = parts.algorithm(env, train, test, parts.nets, config, seed=variant["seed"], **options)
    algorithm.to(device)
    return algorithm


class Parts(NamedTuple):
    """The class of an algorithm, and its networks."""

    algorithm: Callable[..., Learner]
    nets: object


def _pearl(variant: Variant, env: Spaces, config: PEARLConfig) -> Parts:
    image_shape = getattr(env, "image_shape", None)
    if image_shape is None and variant["pixel_encoder"] != "flat":
        raise ValueError(
            f"pixel_encoder {variant['pixel_encoder']!r} is for images, "
            f"and {variant['env_name']} has none; leave it at 'flat'"
        )
    sizes = (*_sizes(env), variant["latent_size"], variant["net_size"])
    images = (image_shape, variant["pixel_encoder"], variant["encoder_size"])
    return Parts(pearl.PEARLSoftActorCritic, pearl.build_nets(*sizes, config, *images))


def _mier(variant: Variant, env: Spaces, config: MIERConfig) -> Parts:
    if getattr(env, "image_shape", None) is not None or variant["pixel_encoder"] != "flat":
        raise ValueError(
            f"algorithm 'mier' has no model of images, got {variant['env_name']} with pixel_encoder"
            f" {variant['pixel_encoder']!r}; choose algorithm 'pearl', or a family without images"
        )
    sizes = (*_sizes(env), variant["latent_size"], variant["net_size"])
    return Parts(mier.MIER, mier.build_nets(*sizes, config, variant["encoder_size"]))


BUILDERS: dict[str, Callable[[Variant, Spaces, Any], Parts]] = {"pearl": _pearl, "mier": _mier}


def _sizes(env: Spaces) -> tuple[int, int]:
    """Of an observation and of an action."""
    obs, action = (int(np.prod(space.shape or ())) for space in (env.observation_space, env.action_space))
    return obs, action


def attach_relabeler(algorithm: HostAlgorithm, variant: Variant) -> Relabeling:
    try:
        return attach(algorithm, variant["relabeler"], seed=variant["seed"], **variant["relabel_params"])
    except TypeError as error:
        raise ValueError(f"relabel_params can't be served ({error})") from None
