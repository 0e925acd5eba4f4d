"""The figures of relabeling: what is counted, and means over tasks where some decisions have no figure."""

from __future__ import annotations

import numpy as np
import pytest
from three_tasks import TASKS

from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.relabelers.relabeler import RelabelDecision

# What the three tasks pay is not what the random paths recorded.
pytestmark = pytest.mark.filterwarnings("ignore:hindsight rewards do not give back")


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


def test_statistics_count_what_happened(make_router, make_path):
    router = make_router(tasks=20)
    router.routes("rl", 10, [make_path(seed=1)])
    router.routes("rl", 20, [make_path(seed=2)])
    columns = router.statistics.report()
    # asking twice, as hosts do that evaluate twice, loses nothing
    np.testing.assert_equal(router.statistics.report(), columns)
    assert columns["relabel/paths seen"] == columns["relabel/paths relabeled"] == 2
    assert columns["relabel/share that changed task"] == 0.5
    assert columns["relabel/effective tasks"] == pytest.approx(3.0)
    assert columns["relabel/probability of own task"] == pytest.approx(1 / 3)
    router.relabel_fraction = 0.0
    router.routes("rl", 10, [make_path(seed=3)])
    later = router.statistics.report()
    assert list(later) == list(columns)
    assert later["relabel/paths seen"] == 1
    assert np.isnan(later["relabel/utility Mean"])


def test_diagnostics_tell_from_where_to_where(make_router, make_path):
    router = make_router(tasks=np.array([20, 20, 30, 10]))
    path = make_path(4)
    path["rewards"][1] = 20.0  # what task 20 pays as well
    router.routes("rl", 10, [path])
    arrays = router.statistics.arrays()
    np.testing.assert_array_equal(arrays["tasks"], TASKS)
    np.testing.assert_allclose(arrays["source_to_new"], [[0.25, 0.5, 0.25], [0, 0, 0], [0, 0, 0]])
    assert arrays["utility"].shape == arrays["log_partition"].shape == (3,)
    assert router.statistics.columns()["relabel/share of moved steps with another reward"] == pytest.approx(
        2 / 3
    )
