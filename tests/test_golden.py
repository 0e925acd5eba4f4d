"""A seeded run of two epochs with four pinned columns: an accidental change of the mathematics or of the order of draws shows here."""
from __future__ import annotations

import pytest

from rlkit_hfr import attach

COLUMNS = ("QF Loss", "Policy Loss", "KL Divergence", "relabel/utility Mean")
GOLDEN = [
    [49.93841552734375, -1.3692394495010376, 8.588900566101074, -0.001157460448060495],
    [58.19567108154297, -1.350690484046936, 8.457930564880371, -0.0045619072302037645],
]


def test_golden_run(make_algorithm):
    algorithm = make_algorithm("four-corners")
    rows = []
    algorithm.on_epoch_end = rows.append
    attach(algorithm, "hfr", relabel_fraction=1.0, seed=0, num_initial_states=8, num_partition_samples=4)
    algorithm.train()
    for row, expected in zip(rows, GOLDEN, strict=True):
        assert [row[column] for column in COLUMNS] == pytest.approx(expected, rel=1e-3)
