"""From settings to an algorithm."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from tiny_runs import assignments

from rlkit_hfr.experiments.runs.build import (
    build_algorithm,
    build_env,
    pick_device,
    records_sparse_rewards,
    seed_everything,
)
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.mier.algorithm import MIER
from rlkit_hfr.pearl.sac import PEARLSoftActorCritic

CPU = torch.device("cpu")


def _variant(env="point-robot", *more):
    return build_variant(env, "none", "quick", None, [*assignments(), *more], 3)


def test_all_generators_are_seeded():
    def draws():
        return random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002

    for seed in (5, 2**32 + 1):  # numpy's generator takes 32 bits
        seed_everything(seed)
        first = draws()
        seed_everything(seed)
        assert draws() == first
    seed_everything(6)
    assert all(a != b for a, b in zip(draws(), first, strict=True))


def test_a_device_is_there_or_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == CPU
    with pytest.raises(ValueError, match="no CUDA device; use --device cpu or auto"):
        pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == pick_device("cuda") == torch.device("cuda")
    assert pick_device("cpu") == CPU


def test_sparse_rewards_are_found_by_a_step():
    assert records_sparse_rewards(build_env(_variant("sparse-point-robot")))
    assert not records_sparse_rewards(build_env(_variant()))
    with pytest.raises(ValueError, match="sparse_rewards is on, but point-robot has none"):
        build_algorithm(_variant("point-robot", "sparse_rewards=true"), CPU)


def test_arguments_that_a_family_can_not_take_are_said():
    variant = _variant()
    variant["env_params"]["n_tasks"] = 2.5
    with pytest.raises(ValueError, match="point-robot can't be built with .*n_tasks=2.5"):
        build_env(variant)


@pytest.mark.parametrize(("name", "cls"), [("pearl", PEARLSoftActorCritic), ("mier", MIER)])
def test_an_algorithm_is_built_of_its_settings(name, cls):
    first, again = (build_algorithm(_variant("point-robot", f"algorithm={name}"), CPU) for _ in range(2))
    assert type(first) is cls
    assert (list(first.train_tasks), list(first.eval_tasks)) == ([0, 1, 2], [3, 4])
    for ours, theirs in zip(first.agent.policy.parameters(), again.agent.policy.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_encoders_of_images_are_for_images():
    with pytest.raises(ValueError, match="pixel_encoder 'conv' is for images, and point-robot has none"):
        build_algorithm(_variant("point-robot", "pixel_encoder=conv"), CPU)
    with pytest.raises(ValueError, match="'mier' has no model of images"):
        build_algorithm(_variant("visual-reacher", "algorithm=mier"), CPU)
