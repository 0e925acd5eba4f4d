"""Recorded paths in a checkpoint: there and back, and those that can't be held."""

from __future__ import annotations

import numpy as np
import pytest
from saved import saved_and_loaded

from rlkit_hfr.scoring.path_states import path_states, paths_from

STEPS = 3
INFOS = {
    "arrays": {"achieved": np.ones((STEPS, 2), np.float32), "success": np.array([False, False, True])},
    "step by step": [{"achieved": np.full(2, t, np.float32), "reward": np.float32(t)} for t in range(STEPS)],
    "dicts": {"task": np.array([{"goal": [0.1, 0.2], "name": "left", "length": 2}] * STEPS, object)},
    "none": {},
}


def _there_and_back(paths):
    return paths_from(saved_and_loaded(path_states(paths)))


@pytest.mark.parametrize("infos", INFOS.values(), ids=INFOS)
def test_a_path_comes_back_with_its_infos_in_their_own_format(make_path, infos):
    path = make_path(STEPS, env_infos=infos)
    (back,) = _there_and_back([path])
    np.testing.assert_equal(back["env_infos"], infos)
    np.testing.assert_equal(type(back["env_infos"]), type(infos))
    for key in ("observations", "actions", "rewards", "next_observations", "terminals"):
        np.testing.assert_array_equal(back[key], path[key])
        assert back[key].dtype == path[key].dtype


def test_numbers_keep_their_type(make_path):
    (back,) = _there_and_back([make_path(STEPS, env_infos=INFOS["step by step"])])
    assert type(back["env_infos"][1]["reward"]) is np.float32


def test_a_path_with_an_info_that_no_checkpoint_holds_is_left_out(make_path):
    lost = make_path(STEPS, seed=1, env_infos={"world": np.array([object()] * STEPS, object)})
    (back,) = _there_and_back([lost, make_path(STEPS, seed=2)])
    np.testing.assert_array_equal(back["observations"], make_path(STEPS, seed=2)["observations"])
