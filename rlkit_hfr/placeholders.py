"""Empty modules in the place of those that oyster and rlkit import and PEARL does not use."""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import NoReturn

# mujoco_py can't be installed any more on most machines, rand_param_envs is a git
# submodule of oyster that needs it, and rlkit reads the S3 folder of its authors.
UNUSED = (
    "mujoco_py",
    "rand_param_envs",
    "rand_param_envs.hopper_rand_params",
    "rand_param_envs.walker2d_rand_params",
    "torchvision",
    "torchvision.models",
    "torchvision.transforms",
    "PIL",
    "PIL.Image",
    "cv2",
    "boto3",
    "ipdb",
    "rlkit.launchers.conf_private",
)
_SETTINGS = {"rlkit.launchers.conf_private": {"AWS_S3_PATH": ""}}


class _Absent(type):
    """A class that may be derived from and asked for attributes, but not called."""

    def __getattr__(cls, name: str) -> _Absent:
        if name.startswith("__"):
            raise AttributeError(name)
        return _absent(f"{cls.__module__}.{cls.__qualname__}", name)

    def __call__(cls, *args: object, **options: object) -> NoReturn:
        raise ImportError(
            f"{cls.__name__} needs {cls.wanted}, for which rlkit_hfr.stand_in has put an empty module;"
            " install the real one, or choose an environment that does without"
        )


def _absent(module: str, name: str) -> _Absent:
    return _Absent(name, (), {"__module__": module, "wanted": module})


class _Placeholder(types.ModuleType):
    """A module whose attributes are classes that say what is missing when they are called."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> _Absent:
        if name.startswith("__"):
            raise AttributeError(name)
        return _absent(self.__name__, name)


def stand_in(*names: str) -> list[str]:
    """Put an empty module in the place of each named one that can't be imported, so that
    what imports it without using it runs. Call it before the first import of rlkit.

    names: modules, parents before their children; none for those of oyster and of
    Berkeley's rlkit. Returns the names that needed one. Whoever calls what such a
    module would hold gets an ImportError that names the module.
    """
    needed = [name for name in names or UNUSED if not _importable(name)]
    for name in needed:
        module = sys.modules[name] = _Placeholder(name)
        vars(module).update(_SETTINGS.get(name, {}))
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)
    return needed


def _importable(name: str) -> bool:
    if name in sys.modules:
        return True
    if isinstance(sys.modules.get(name.rpartition(".")[0]), _Placeholder):
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False
