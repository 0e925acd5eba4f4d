"""Families by name, and the arguments that each takes; `tests/test_registration.py` registers others."""

from __future__ import annotations

import pytest

from env_wrappers import ENVIRONMENTS, arguments_of, find_family, make_env
from env_wrappers.point import PointRobot
from env_wrappers.registry import Arguments


class Narrow(PointRobot):
    def __init__(self, width, *, tolerance=0.1, **options):
        super().__init__(**options)


class Narrowest(Narrow):
    def __init__(self, **options):
        super().__init__(width=0.1, **options)


class Closed(PointRobot):
    def __init__(self, width=1.0):
        super().__init__(n_tasks=3)


def test_an_unknown_name_is_told_its_neighbour():
    with pytest.raises(ValueError, match="did you mean 'sawyer-push'"):
        make_env("sawyer-psh")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_name_stands_for_the_class_that_it_names(name):
    family = find_family(name)
    assert isinstance(make_env(name), family)
    assert f"{family.__module__}:{family.__name__}" == ENVIRONMENTS[name]


def test_options_that_are_passed_on_are_those_of_the_base_class():
    arguments = arguments_of(Narrow)
    assert arguments.required == ("width",)
    assert {"tolerance", "n_tasks", "task_seed"} <= set(arguments.defaults)
    assert arguments.defaults["task_seed"] == 1337
    assert arguments.takes_seed
    assert not arguments.any_others
    assert arguments_of(Narrowest).required == ()  # which it gives by itself
    assert arguments_of(Closed) == Arguments({"width": 1.0}, (), any_others=False, takes_seed=False)


def test_arguments_are_checked_by_name():
    arguments = Arguments({"length": 1.0}, ("size",), any_others=False, takes_seed=False)
    arguments.check(["size", "length"], "chain")
    with pytest.raises(ValueError, match=r"chain has no argument 'lenght' \(did you mean 'length'\?\)"):
        arguments.check(["size", "lenght"], "chain")
    with pytest.raises(ValueError, match="chain needs size; give each, on the command line by --set"):
        arguments.check([], "chain")
