"""Task families by name, those that others add, and what each can be built with."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar, overload

from env_wrappers.base import HindsightEnv
from env_wrappers.gymnasium_adapter import GymnasiumAdapter, adapted
from env_wrappers.splits import build_split

Family = Callable[..., Any]  # a class, or a function that builds an environment
F = TypeVar("F", bound=Family)
# what `make_env` takes for every HindsightEnv with an argument n_tasks
_OF_SPLITS: dict[str, Any] = {"split": None, "n_test_tasks": None}

# name -> family, or its "module:Class", imported on use, so that the point robots need no MuJoCo
ENVIRONMENTS: dict[str, str | Family] = {
    "point-robot": "env_wrappers.point:PointRobot",
    "sparse-point-robot": "env_wrappers.point:SparsePointRobot",
    "four-corners": "env_wrappers.point:FourCorners",
    "sawyer-reach": "env_wrappers.sawyer:SawyerReach",
    "sawyer-push": "env_wrappers.sawyer:SawyerPush",
    "cheetah-vel": "env_wrappers.cheetah:CheetahVel",
    "cheetah-vel-sparse": "env_wrappers.cheetah:CheetahVelSparse",
    "cheetah-dir": "env_wrappers.cheetah:CheetahDir",
    "cheetah-highdim": "env_wrappers.cheetah:CheetahHighdim",
    "ant-goal": "env_wrappers.ant:AntGoal",
    "ant-vel": "env_wrappers.ant:AntVel",
    "ant-dir": "env_wrappers.ant:AntDir",
    "cheetah-negated-joints": "env_wrappers.joints:CheetahNegatedJoints",
    "ant-negated-joints": "env_wrappers.joints:AntNegatedJoints",
    "ant-broken-leg": "env_wrappers.joints:AntBrokenLeg",
    "humanoid-dir": "env_wrappers.humanoid:HumanoidDir",
    "visual-reacher": "env_wrappers.reacher:VisualReacher",
    "ant-goal-rand-params": "env_wrappers.dynamics:AntGoalRandParams",
    "cheetah-vel-sparse-rand-params": "env_wrappers.dynamics:CheetahVelSparseRandParams",
    "hopper-rand-params": "env_wrappers.dynamics:HopperRandParams",
    "walker-rand-params": "env_wrappers.dynamics:WalkerRandParams",
}
_NEEDED = ("reset", "step", "reset_task", "get_all_task_idx", "observation_space", "action_space")


@overload
def register_env(name: str) -> Callable[[F], F]: ...
@overload
def register_env(name: str, family: F) -> F: ...
def register_env(name: str, family: Any = None) -> Any:
    """Add a task family to `ENVIRONMENTS`, in this process; returns it. Without a family it
    is a decorator: ``@register_env("chain")``.

    family: a class, or a function that builds an environment. ValueError for what is
    neither, and for a name that another family has.
    """
    if family is None:
        return lambda decorated: register_env(name, decorated)
    if not isinstance(name, str) or not name or ":" in name:
        raise ValueError(f"the name of a task family must be a word without ':', got {name!r}")
    _check(family, name)
    holder = ENVIRONMENTS.get(name)
    if holder is not None and _home(holder) != _home(
        family
    ):  # a module that is reloaded makes its class anew
        raise ValueError(f"the name {name!r} is taken by {_home(holder)}; choose another")
    ENVIRONMENTS[name] = family
    return family


def find_family(name: Any) -> Family:
    """The class or function of a name of `ENVIRONMENTS` or of a ``module:Class``.
    ValueError for any other.
    """
    if isinstance(name, str) and ":" in name:
        return _check(_load(name), name)
    if not isinstance(name, str) or name not in ENVIRONMENTS:
        known = ", ".join(sorted(ENVIRONMENTS))
        raise ValueError(
            f"unknown environment {name!r}{_near(str(name), ENVIRONMENTS)}; known: {known}, "
            "or module:Class of your own"
        )
    family = ENVIRONMENTS[name]
    return _load(family) if isinstance(family, str) else family


@dataclass(frozen=True)
class Arguments:
    """What a family can be built with. defaults: by name; required: those without a
    default; any_others: whether it takes whatever it is given. `seed` is in none of them.
    """

    defaults: Mapping[str, Any]
    required: tuple[str, ...]
    any_others: bool
    takes_seed: bool

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.required, *self.defaults)

    def check(self, given: Iterable[str], family: str) -> None:
        """ValueError for a name that it does not take, and for one that it lacks."""
        given = list(given)
        for key in given:
            if key not in self.names and not self.any_others:
                takes = ", ".join(self.names) or "none"
                raise ValueError(
                    f"{family} has no argument {key!r}{_near(key, self.names)}; its arguments: {takes}"
                )
        missing = [key for key in self.required if key not in given]
        if missing:
            raise ValueError(
                f"{family} needs {', '.join(missing)}; give each, "
                f"on the command line by --set env_params.{missing[0]}=..."
            )


def arguments_of(family: Family) -> Arguments:
    """As its signature says; where a class passes ``**options`` on, with its base class's
    options.
    """
    defaults: dict[str, Any] = {}
    required: list[str] = []
    signatures = _signatures(family)
    any_others = False
    for depth, signature in enumerate(signatures):
        parameters = signature.parameters.values()
        for p in parameters:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in (*defaults, *required):
                if p.default is not p.empty:
                    defaults[p.name] = p.default
                elif depth == 0:  # a base class gets its own from the class
                    required.append(p.name)
        any_others = any(p.kind is p.VAR_KEYWORD for p in parameters)
        if not any_others:
            break
    takes_seed = "seed" in defaults or "seed" in required or any_others
    defaults.pop("seed", None)
    if _can_be_split(family, defaults):
        defaults |= _OF_SPLITS
    return Arguments(defaults, tuple(name for name in required if name != "seed"), any_others, takes_seed)


def make_env(name: str | Family, *, seed: int | None = None, **params: Any) -> Any:
    """Build a task family: by its name, its ``module:Class``, or the class itself.

    seed: of the initial states; params: the other arguments of the class, such as n_tasks
    and task_seed; split and n_test_tasks: as `build_split`. A Gymnasium environment comes
    in a `GymnasiumAdapter`. ValueError for an argument that the class does not take, and for
    what is no multi-task environment.
    """
    family = find_family(name) if isinstance(name, str) or not callable(name) else _check(name, _home(name))
    label = name if isinstance(name, str) else _home(name)
    arguments = arguments_of(family)
    arguments.check(params, label)
    seeds = {"seed": seed} if arguments.takes_seed else {}
    env = _split(family, arguments, params, seeds)
    env = adapted(family(**params, **seeds)) if env is None else env
    missing = [part for part in _NEEDED if not hasattr(env, part)]
    if missing:
        raise ValueError(
            f"{label} built a {type(env).__name__} without {', '.join(missing)}; see docs/environments.md"
        )
    unseeded = isinstance(env, GymnasiumAdapter) or not arguments.takes_seed  # Gymnasium seeds at a reset
    if seed is not None and unseeded and callable(getattr(env, "seed", None)):
        env.seed(seed)
    return env


def _can_be_split(family: Family, defaults: Mapping[str, Any]) -> bool:
    """Whether it draws as many tasks as it is asked for, and has no test tasks of its own."""
    if not isinstance(family, type) or not issubclass(family, HindsightEnv):
        return False
    return "n_tasks" in defaults and not set(_OF_SPLITS) & set(defaults)


def _split(
    family: Family, arguments: Arguments, params: dict[str, Any], seeds: dict[str, Any]
) -> HindsightEnv | None:
    """The family with a split of its tasks; None, and the split's arguments gone from
    `params`, if none was asked for.
    """
    if not _OF_SPLITS.items() <= arguments.defaults.items():
        return None
    split, n_test_tasks = (params.pop(name, None) for name in _OF_SPLITS)
    if split is None:
        if n_test_tasks is not None:
            raise ValueError(f"n_test_tasks={n_test_tasks!r} is for a split, got none; give split as well")
        return None
    n_tasks = params.pop("n_tasks", arguments.defaults["n_tasks"])
    return build_split(lambda size: family(n_tasks=size, **params, **seeds), split, n_tasks, n_test_tasks)


def _signatures(family: Family) -> list[inspect.Signature]:
    """Of the family, and of what it may pass its ``**options`` on to."""
    if not isinstance(family, type):
        return [inspect.signature(family)]
    own = [
        vars(base)["__init__"] for base in family.__mro__ if "__init__" in vars(base) and base is not object
    ]
    signatures = [inspect.signature(function) for function in own]
    return [s.replace(parameters=list(s.parameters.values())[1:]) for s in signatures] or [
        inspect.Signature()
    ]


def _load(reference: str) -> Family:
    path, _, name = reference.partition(":")
    if not path or not all(part.isidentifier() for part in (*path.split("."), name)):
        raise ValueError(f"a task family of your own is written module:Class, got {reference!r}")
    try:
        module = import_module(path)
    except Exception as error:  # whatever a module does while it is imported
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"can't import the module {path!r} of the task family {reference!r} "
            f"({type(error).__name__}: {reason}); "
            "start from the folder that holds it, or put that folder on PYTHONPATH"
        ) from None
    if not hasattr(module, name):
        raise ValueError(f"the module {path!r} has no {name!r}{_near(name, vars(module))}")
    family: Family = getattr(module, name)
    return family


def _check(family: Any, named: str) -> Family:
    """The family, if it may be one."""
    if isinstance(family, type):
        lacks = [part for part in ("reset", "step") if not callable(getattr(family, part, None))]
        if lacks:
            raise ValueError(
                f"{named} is no task family: the class {family.__name__} has no {' and no '.join(lacks)}; "
                "see docs/environments.md"
            )
        missing = sorted(getattr(family, "__abstractmethods__", ()))
        if missing:
            raise ValueError(
                f"the task family {family.__name__} does not define {', '.join(missing)}; write it"
            )
    elif not callable(family):
        raise ValueError(
            f"{named} is no task family: expected a class, or a function that builds an environment, "
            f"got {type(family).__name__}"
        )
    return family


def _home(family: Any) -> str:
    """Where a family is from: "module:Class"."""
    if isinstance(family, str):
        return family
    return (
        f"{getattr(family, '__module__', '?')}:{getattr(family, '__qualname__', type(family).__qualname__)}"
    )


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
