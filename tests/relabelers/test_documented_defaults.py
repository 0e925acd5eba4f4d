"""The defaults that docs/relabelers.md names are those of the classes."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from rlkit_hfr.relabelers import find_relabeler, relabeler_options

PAGE = (Path(__file__).parents[2] / "docs" / "relabelers.md").read_text()
TABLE = PAGE[PAGE.index("| name | options (defaults)") :].split("\n\n")[0]
# in words where the value is None
IN_WORDS = {
    ("temperature", "0.3 rewards"): None,
    ("prior", "uniform"): None,
    ("threshold", "none: the goal's tolerance"): None,
}


def _defaults(name):
    """Option -> default, of the class and its bases."""
    known = {}
    for base in find_relabeler(name).__mro__:
        if "__init__" in vars(base) and base is not object:
            for parameter in inspect.signature(vars(base)["__init__"]).parameters.values():
                if parameter.kind is parameter.KEYWORD_ONLY:
                    known.setdefault(parameter.name, parameter.default)
    return known


def _documented():
    for line in TABLE.splitlines()[2:]:
        names, options = line.split("|")[1:3]
        for name in re.findall(r"`([\w-]+)`", names):
            yield name, re.findall(r"`(\w+)` \(([^)]+)\)", options), "of `" in options


@pytest.mark.parametrize(("name", "options", "refers"), list(_documented()))
def test_defaults_are_as_documented(name, options, refers):
    known = _defaults(name)
    for option, text in options:
        expected = IN_WORDS.get((option, text), text)
        assert known[option] == (expected if expected is None else type(known[option])(expected)), option
    if not refers:  # to the options of another
        assert {option for option, _ in options} == set(relabeler_options(find_relabeler(name)))
