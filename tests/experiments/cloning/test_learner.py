"""A policy learns what it is shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rlkit_hfr.experiments.cloning.labels import Labelled
from rlkit_hfr.experiments.cloning.learner import CloningSettings, clone, transitions


def _world(rng, number=40, told=True):
    """Paths whose action is the first number of their task vector times the observation."""
    vectors = rng.uniform(-1, 1, (number, 2))
    labelled = []
    for i, vector in enumerate(vectors):
        obs = 3.0 + 2.0 * rng.normal(size=(25, 1)).astype(np.float32)
        path = dict(observations=obs, actions=(0.1 * vector[0] * obs).astype(np.float32))
        labelled.append(Labelled(path, np.ones(25, bool), i if told else None))
    return labelled, vectors


def test_the_policy_learns_what_it_is_shown_and_needs_the_task_for_it():
    settings = CloningSettings(hidden_size=64, learning_rate=3e-3, max_epochs=60)
    told, vectors = _world(np.random.default_rng(0))
    policy, errors = clone(told, vectors, 0, settings)
    _, blind = clone(_world(np.random.default_rng(0), told=False)[0], vectors, 0, settings)
    assert min(errors) < 0.1 < 0.5 < min(blind)  # of actions with a variance of one
    policy.z = torch.tensor([[0.5, 0.0], [-0.5, 0.0]])
    actions = policy.get_actions(np.array([[4.0], [4.0]]))
    np.testing.assert_allclose(actions[:, 0], [0.2, -0.2], atol=0.06)
    policy.z = torch.tensor([[50.0, 0.0]])
    assert policy.get_actions(np.array([[4.0]]))[0, 0] == 1.0  # actions are bounded


def test_training_stops_after_the_epochs_without_progress_and_keeps_the_best():
    labelled, vectors = _world(np.random.default_rng(1), number=12)
    for patience in (1, 3):
        settings = CloningSettings(hidden_size=32, learning_rate=0.05, patience=patience, max_epochs=500)
        policy, errors = clone(labelled, vectors, 0, settings)
        assert len(errors) - 1 - int(np.argmin(errors)) == patience
        obs, tasks, actions, owner = transitions(labelled, vectors)
        order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
        held_out = torch.isin(owner, order[:1])
        mean, deviation = policy.get_buffer("action_scale")
        target = (actions - mean) / deviation
        with torch.no_grad():
            error = (policy(obs, tasks) - target)[held_out].square().mean()
        assert float(error) == pytest.approx(min(errors), rel=1e-5)
    capped = CloningSettings(hidden_size=32, max_epochs=2)
    assert len(clone(labelled, vectors, 0, capped)[1]) == 2
