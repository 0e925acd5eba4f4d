"""A seeded run of two epochs with four pinned columns: an accidental change of the
mathematics or of the order of draws shows here.
"""

from __future__ import annotations

import pytest

from rlkit_hfr import attach

COLUMNS = ("QF Loss", "Policy Loss", "KL Divergence", "relabel/utility Mean")
GOLDEN = [
    [49.93852233886719, -1.3692184686660767, 8.58854866027832, -0.0011811664517153986],
    [58.194923400878906, -1.3507609367370605, 8.46928882598877, -0.004569224301829106],
]


def test_golden_run(make_algorithm):
    algorithm = make_algorithm("four-corners")
    rows = []
    algorithm.on_epoch_end = rows.append
    attach(
        algorithm,
        "hfr",
        relabel_fraction=1.0,
        seed=0,
        num_initial_states=8,
        num_partition_samples=4,
        precision="fp32",
    )
    algorithm.train()
    for row, expected in zip(rows, GOLDEN, strict=True):
        assert [row[column] for column in COLUMNS] == pytest.approx(expected, rel=1e-3)
