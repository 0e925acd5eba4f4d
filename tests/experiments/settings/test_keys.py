"""In which section each setting lives."""

from __future__ import annotations

import pytest

from env_wrappers import find_family
from rlkit_hfr.experiments.settings.keys import ATTACH_KEYS, Keys, check_truth, keys_for
from rlkit_hfr.relabelers.baselines import RandomRelabeler

KEYS = Keys(
    {"": ("seed", "size"), "a": ("rate", "size"), "b": ("rate", "number")},
    {"b": frozenset({"number"})},
    open_sections=frozenset({"a"}),
)


def test_a_setting_is_placed_by_its_name_or_its_section():
    assert KEYS.place("number") == ("b", "number")
    assert KEYS.place("b.rate") == ("b", "rate")
    assert KEYS.place(".size") == ("", "size")
    assert KEYS.place("a.anything") == ("a", "anything")  # an open section
    assert (KEYS.first("rate"), KEYS.first("size"), KEYS.first("none")) == ("a.rate", ".size", "none")
    assert KEYS.is_truth("b", "number")
    assert not KEYS.is_truth("a", "number")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("rate", "rate is a setting of a and b; say which: a.rate or b.rate"),
        ("size", "size is a setting of the run itself and a; say which: .size or a.size"),
        ("numbr", r"unknown setting 'numbr' \(did you mean 'number'\?\); known: number, rate, seed, size"),
        ("b.seed", "unknown setting 'b.seed'"),
        ("c.rate", "unknown setting 'c.rate'"),
    ],
)
def test_what_has_no_place_or_two_is_refused(key, message):
    with pytest.raises(ValueError, match=message):
        KEYS.place(key)


class Blinking(RandomRelabeler):
    name = "blinking"

    def __init__(self, *, blinks: bool = False) -> None:
        super().__init__()


def test_the_settings_of_a_run_are_those_of_its_parts():
    plain = keys_for(find_family("point-robot"))
    keys = keys_for(find_family("point-robot"), [Blinking], "mier")
    assert keys.place("task_seed") == ("env_params", "task_seed")
    assert keys.place("blinks") == ("relabel_params", "blinks")
    assert keys.is_truth("relabel_params", "blinks")
    assert keys.place("adapt_clip") == ("algo_params", "adapt_clip")
    for key in ("blinks", "adapt_clip"):
        with pytest.raises(ValueError, match="unknown setting"):
            plain.place(key)
    assert "relabel_fraction" in ATTACH_KEYS
    assert {"seed", "host"}.isdisjoint(ATTACH_KEYS)


def test_truths_are_true_or_false_and_nothing_else():
    assert check_truth("on", True) is True
    with pytest.raises(ValueError, match='on in the config must be true or false, got "yes"; write'):
        check_truth("on", "yes", "the config")
