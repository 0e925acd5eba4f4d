"""Every relabeler by name: it can be built, it decides, and its options are checked."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr import RELABELERS
from rlkit_hfr.relabelers import make_relabeler, relabeler_options


@pytest.mark.parametrize("name", RELABELERS)
def test_every_entry_of_the_registry_decides(world, name):
    algorithm, relabeler, scorer, paths = world(name)
    decisions = relabeler.decide(paths, [0, 1, 2, 3], scorer, np.random.default_rng(0))
    assert relabeler.name == name
    for decision in decisions:
        assert (
            decision.probs.shape
            == decision.utilities.shape
            == decision.log_partition.shape
            == (len(algorithm.train_tasks),)
        )
        assert decision.probs.sum() == pytest.approx(1.0)
        assert np.isin(decision.tasks, algorithm.train_tasks).all()


def test_options_are_checked_by_name_and_value():
    assert relabeler_options(RELABELERS["hfr"]) == [
        "num_initial_states",
        "utility",
        "num_rollouts",
        "num_latents",
        "latent",
        "num_partition_samples",
        "temperature",
        "normaliser",
        "tasks_per_path",
        "prior",
    ]
    with pytest.raises(ValueError, match="did you mean 'hfr'"):
        make_relabeler("hffr")
    with pytest.raises(ValueError, match="did you mean 'temperature'"):
        make_relabeler("hfr", temprature=1.0)
    with pytest.raises(ValueError, match="takes none at all"):
        make_relabeler("random", temperature=1.0)
    for bad in (
        {"num_initial_states": 0},
        {"num_partition_samples": 2.5},
        {"temperature": -1},
        {"normaliser": "no"},
        {"latent": "mode"},
        {"prior": [0.0, 0.0]},
        {"prior": [1.0, -1.0]},
        {"prior": "uniform"},
    ):
        with pytest.raises(ValueError, match=next(iter(bad))):
            make_relabeler("hfr", **bad)
    with pytest.raises(ValueError, match="finished"):
        make_relabeler(make_relabeler("hfr"), temperature=1.0)


@pytest.mark.parametrize("name", RELABELERS)
def test_a_class_says_what_its_defaults_need(name):
    """So that what a relabeler needs is known before one is built."""
    cls, made = RELABELERS[name], make_relabeler(name)
    needs = {key for key in dir(cls) if key.startswith("needs_")}
    assert {"needs_goals", "needs_vectors"} <= needs
    assert {key: getattr(cls, key) for key in needs} == {key: getattr(made, key) for key in needs}
