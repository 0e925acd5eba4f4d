"""What each check of an option lets through, and what it says of the rest."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlkit_hfr import checks


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ("positive_int", [1, np.int64(7)], [0, -1, 1.0, True, "1", None]),
        ("whole", [0, 3, np.int32(2)], [-1, 0.0, False, "0"]),
        ("non_negative", [0, 0.5, 1e9], [-1e-9, math.inf, math.nan, True, "1"]),
        ("number", [-3, 0.0, np.float32(2.5)], [math.inf, -math.inf, math.nan, True, "2", 1j]),
        ("share", [0, 1, 0.25], [-0.01, 1.01, math.nan, True, "half"]),
    ],
)
def test_numbers_are_let_through_or_refused_by_name(check, good, bad):
    function = getattr(checks, check)
    for value in good:
        assert function("it", value) == value
        assert type(function("it", value)) in (int, float)
    for value in bad:
        with pytest.raises(ValueError, match="^it must be"):
            function("it", value)


def test_weights_are_scaled_to_a_sum_of_one():
    assert checks.weights("prior", [1, 3]) == [0.25, 0.75]
    assert checks.weights("prior", np.array([0.0, 5.0])) == [0.0, 1.0]
    for bad in ([0, 0], [], "11", 5, [1, -1], [1, None]):
        with pytest.raises(ValueError, match="^prior must"):
            checks.weights("prior", bad)


def test_a_choice_is_one_of_the_known():
    assert checks.one_of("mode", "b", ("a", "b")) == "b"
    for bad in ("c", "", None, ["a"], 1):
        with pytest.raises(ValueError, match="mode must be one of a, b, got"):
            checks.one_of("mode", bad, ("a", "b"))


def test_the_nearest_name_is_suggested_and_a_far_one_is_not():
    assert (
        checks.did_you_mean("temprature", {"temperature": 1, "prior": 2}) == " (did you mean 'temperature'?)"
    )
    assert checks.did_you_mean("xyz", ["temperature", "prior"]) == ""
