"""Task families with hindsight rewards. ``make_env(name)`` builds one by the name that the
launchers take.
"""

from __future__ import annotations

from env_wrappers.base import HindsightEnv, HindsightRewards, path_info
from env_wrappers.checker import HindsightEnvError, HindsightReport, check_hindsight_env
from env_wrappers.gymnasium_adapter import GymnasiumAdapter
from env_wrappers.registry import ENVIRONMENTS, Arguments, arguments_of, find_family, make_env, register_env

__all__ = [
    "ENVIRONMENTS",
    "Arguments",
    "GymnasiumAdapter",
    "HindsightEnv",
    "HindsightEnvError",
    "HindsightReport",
    "HindsightRewards",
    "arguments_of",
    "check_hindsight_env",
    "find_family",
    "make_env",
    "path_info",
    "register_env",
]
