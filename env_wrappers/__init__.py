"""Task families with hindsight rewards. ``make_env(name)`` builds one by the name that the launchers take."""
from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from env_wrappers.base import HindsightEnv, HindsightRewards, path_info
from env_wrappers.checker import HindsightEnvError, check_hindsight_env

# name -> "module:class"; modules are imported on use, so that the point robots need no MuJoCo.
ENVIRONMENTS: dict[str, str] = {
    "point-robot": "point:PointRobot",
    "sparse-point-robot": "point:SparsePointRobot",
    "four-corners": "point:FourCorners",
    "sawyer-reach": "sawyer:SawyerReach",
    "sawyer-push": "sawyer:SawyerPush",
    "cheetah-vel": "cheetah:CheetahVel",
    "cheetah-vel-sparse": "cheetah:CheetahVelSparse",
    "cheetah-dir": "cheetah:CheetahDir",
    "cheetah-highdim": "cheetah:CheetahHighdim",
    "ant-goal": "ant:AntGoal",
    "ant-vel": "ant:AntVel",
    "ant-dir": "ant:AntDir",
    "humanoid-dir": "humanoid:HumanoidDir",
    "visual-reacher": "reacher:VisualReacher",
    "ant-goal-rand-params": "dynamics:AntGoalRandParams",
    "cheetah-vel-sparse-rand-params": "dynamics:CheetahVelSparseRandParams",
    "hopper-rand-params": "dynamics:HopperRandParams",
    "walker-rand-params": "dynamics:WalkerRandParams",
}


def make_env(name: str, **params: Any) -> HindsightEnv:
    """Build a task family. params: the keyword arguments of its class, such as n_tasks, task_seed and seed."""
    if name not in ENVIRONMENTS:
        near = difflib.get_close_matches(name, ENVIRONMENTS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"unknown environment {name!r}{hint}; known: {', '.join(sorted(ENVIRONMENTS))}")
    module, cls = ENVIRONMENTS[name].split(":")
    factory: Callable[..., HindsightEnv] = getattr(import_module(f"env_wrappers.{module}"), cls)
    return factory(**params)


__all__ = ["ENVIRONMENTS", "HindsightEnv", "HindsightEnvError", "HindsightRewards", "check_hindsight_env", "make_env", "path_info"]
