"""Means over tasks where some decisions have no figure."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.relabelers.relabeler import RelabelDecision


def test_what_is_unknown_counts_neither_in_sums_nor_in_numbers():
    statistics = RelabelStatistics([4, 9])
    for utilities, log_z in (([1.0, np.nan], [np.nan, np.nan]), ([3.0, 5.0], [np.nan, 2.0])):
        statistics.decided(
            RelabelDecision(9, np.array([0.0, 1.0]), np.array(utilities), np.array(log_z)), source=4
        )
    arrays, columns = statistics.arrays(), statistics.columns()
    np.testing.assert_array_equal(arrays["utility"], [2.0, 5.0])
    np.testing.assert_array_equal(arrays["log_partition"], [np.nan, 2.0])
    np.testing.assert_array_equal(arrays["source_to_new"], [[0.0, 2.0], [0.0, 0.0]])
    assert columns["relabel/utility Mean"] == 3.0
    assert [columns[f"relabel/utility {name}"] for name in ("Min", "Max")] == [1.0, 5.0]
    assert columns["relabel/utility Std"] == pytest.approx(np.std([1.0, 3.0, 5.0]))
    assert columns["relabel/log Z Mean"] == 2.0
    assert columns["relabel/share that changed task"] == 1.0
