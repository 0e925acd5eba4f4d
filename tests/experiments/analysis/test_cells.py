"""Numbers as texts, and estimates with their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr.experiments.analysis.cells import Bounds, cell, estimated, number

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (-0.5, "-0.500"),
        (1.0, "1.00"),
        (999.5, "999.50"),
        (12345.6, "12,346"),
        (2e6, "2.00e+06"),
        (0.0004, "4.00e-04"),
        (NAN, "–"),
        (float("-inf"), "–"),
    ],
)
def test_numbers_have_the_digits_that_tell_them_apart(value, text):
    assert number(value) == text


def test_intervals_stand_in_brackets_where_there_are_any():
    assert cell(Bounds(centre=1.5, low=1.0, high=2.0)) == "1.50 [1.00, 2.00]"
    assert cell(Bounds(centre=1.5, low=NAN, high=NAN)) == "1.50"


def test_values_that_are_missing_do_not_count():
    few = estimated([1.0, NAN, 3.0], "mean")
    assert (few["centre"], few["runs"]) == (2.0, 2)
    assert np.isnan(few["low"])  # two are too few for an interval
    several = estimated([1.0, 2.0, NAN, 3.0], "mean")
    assert several["centre"] == 2.0
    assert 1.0 <= several["low"] <= 2.0 <= several["high"] <= 3.0
    none = estimated([NAN], "mean")
    assert none["runs"] == 0
    assert np.isnan(none["centre"])
