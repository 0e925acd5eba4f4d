"""HFR-Bellman against a loop over transitions written from the paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_formulas import PlainFormulas

from rlkit_hfr.utility import TransitionBatch


def test_hfr_bellman_equals_algorithm_2(world):
    algorithm, relabeler, scorer, paths = world(
        "hfr-bellman", num_transitions=6, num_partition_samples=4, temperature=20.0, normaliser="trajectories"
    )
    reference = PlainFormulas(algorithm, scorer)
    decisions = relabeler.decide(paths, [0] * len(paths), scorer, np.random.default_rng(0))
    batch = TransitionBatch(*scorer.once("transitions", lambda: pytest.fail("the batch must have been kept")))
    with torch.no_grad():
        expected = np.stack(
            [
                reference.probs(path, lambda tau, task: reference.bellman(tau, task, batch), 20.0)
                for path in paths
            ]
        )
        plain = np.stack([reference.probs(path, reference.hfr, 20.0) for path in paths])
    actual = np.stack([d.probs for d in decisions])
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    assert np.abs(actual - plain).max() > 1e-3
