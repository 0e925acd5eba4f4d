"""HIPI, transition by transition: a loop written from the paper, and what it logs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_formulas import PlainFormulas
from weighted_tasks import K, weighted_scorer

from rlkit_hfr.relabelers import make_relabeler


@pytest.mark.parametrize("normaliser", ["path", "off"])
def test_hipi_equals_equation_8(world, normaliser):
    algorithm, relabeler, scorer, paths = world("hipi", temperature=2.0, normaliser=normaliser)
    reference = PlainFormulas(algorithm, scorer)
    decisions = relabeler.decide(paths, [0] * len(paths), scorer, np.random.default_rng(0))
    (z,) = scorer.once("task_latents", lambda: pytest.fail("the latents must have been kept"))
    for path, decision in zip(paths, decisions, strict=True):
        scores = np.zeros((len(path["rewards"]), len(algorithm.train_tasks)))
        with torch.no_grad():
            for t in range(len(scores)):
                for k in range(scores.shape[1]):
                    scores[t, k] = reference.q(
                        torch.tensor(path["observations"][t]), torch.tensor(path["actions"][t]), z[k]
                    )
        log_z = 2.0 * np.log(np.exp(scores / 2.0).mean(axis=0)) if normaliser == "path" else 0.0
        weights = np.exp((scores - log_z) / 2.0)
        np.testing.assert_allclose(
            decision.probs, (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0), atol=1e-5
        )
        assert decision.tasks.shape == (len(scores),)


def test_what_hipi_logs_is_the_mean_over_transitions(make_path):
    """The critic pays 10 z, whatever the transition, and log Z is that of the same values."""
    (decision,) = make_relabeler("hipi", normaliser="path", temperature=1.0).decide(
        [make_path(6)], [0], weighted_scorer(), np.random.default_rng(0)
    )
    np.testing.assert_allclose(decision.utilities, [1.0, 2.0, 3.0, 4.0], rtol=1e-5)
    np.testing.assert_allclose(decision.log_partition, [1.0, 2.0, 3.0, 4.0], rtol=1e-5)
    np.testing.assert_allclose(decision.probs, np.full(K, 1 / K), rtol=1e-5)
    (plain,) = make_relabeler("hipi", normaliser="off", temperature=2.0).decide(
        [make_path(6)], [0], weighted_scorer(), np.random.default_rng(0)
    )
    weights = np.exp(np.array([1.0, 2.0, 3.0, 4.0]) / 2.0)
    np.testing.assert_allclose(plain.probs, weights / weights.sum(), rtol=1e-5)
    assert plain.tasks.shape == (6,)
