"""What was recorded of a transition is found again by the transition itself."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from saved import saved_and_loaded

from rlkit_hfr.buffers.transition_infos import TransitionInfos


def test_infos_are_found_by_the_transition_and_survive_a_checkpoint(make_path):
    infos = TransitionInfos()
    paths = [make_path(7, seed=seed, env_infos={"x": np.arange(7) + 10 * seed}) for seed in (1, 2)]
    for path in paths:
        infos.note(path)
    infos.note(make_path(7, seed=3, env_infos={"y": np.arange(7)}))  # other infos: left out
    as_dicts = make_path(7, seed=4, env_infos=[{"x": np.int64(40 + t)} for t in range(7)])
    infos.note(as_dicts)
    restored = TransitionInfos()
    restored.load_state_dict(infos.state_dict())
    for store in (infos, restored):
        known, found = store.of({**paths[1], "observations": paths[1]["observations"].astype(np.float64)})
        assert known.all()
        np.testing.assert_array_equal(found["x"], np.arange(7) + 20)
        np.testing.assert_array_equal(store.of(as_dicts)[1]["x"], np.arange(7) + 40)
        assert not store.of(make_path(7, seed=3))[0].any()
        changed = {**paths[0], "actions": paths[0]["actions"] + np.float32(1e-3)}
        assert not store.of(changed)[0].any()


def test_rows_that_were_never_stored_are_not_known(make_path):
    infos, known, unknown = TransitionInfos(), make_path(3, seed=1), make_path(2, seed=2)
    assert infos.of(known)[0].tolist() == [False] * 3  # nothing was noted
    infos.note({**known, "env_infos": {"x": np.arange(3) + 5}})
    keys = ("observations", "actions", "next_observations")
    batch = {key: np.concatenate([unknown[key], known[key][::-1]]) for key in keys}
    found, values = infos.of(batch)
    assert found.tolist() == [False, False, True, True, True]
    assert values["x"][2:].tolist() == [7, 6, 5]


def test_more_infos_than_there_is_room_for_are_kept(make_path):
    infos = TransitionInfos()
    paths = [make_path(200, seed=seed, env_infos={"x": np.arange(200) + 1000 * seed}) for seed in range(4)]
    for path in paths:
        infos.note(path)
    for seed, path in enumerate(paths):
        np.testing.assert_array_equal(infos.of(path)[1]["x"], np.arange(200) + 1000 * seed)


def test_infos_that_are_dicts_survive_a_checkpoint(make_path):
    """As oyster's families record the task of each step."""
    goals = [{"goal": [0.5, float(t)]} for t in range(3)]
    path = make_path(3, env_infos={"task": np.array(goals, object)})
    infos, twin = TransitionInfos(), TransitionInfos()
    infos.note(path)
    twin.load_state_dict(saved_and_loaded(infos.state_dict()))
    assert list(twin.of(path)[1]["task"]) == goals


def test_infos_are_as_they_were_recorded_whatever_the_first_path_had(make_path):
    """Numbers with and without fractions, texts of other lengths."""
    recorded = [
        {"speed": np.array([0, 1]), "phase": np.array(["up", "up"]), "mixed": np.array([1, 2])},
        {"speed": np.array([0.7, 0.2]), "phase": np.array(["grasp", "up"]), "mixed": np.array(["a", "bc"])},
    ]
    infos, twin = TransitionInfos(), TransitionInfos()
    paths = [make_path(2, seed=seed, env_infos=own) for seed, own in enumerate(recorded)]
    infos.note(paths[0])
    twin.load_state_dict(infos.state_dict())
    for store in (infos, twin):
        store.note(paths[1])
        for path, own in zip(paths, recorded):
            for key, values in own.items():
                assert store.of(path)[1][key].tolist() == values.tolist()


OTHER = {
    "wider": np.ones((3, 3)),
    "narrower": np.ones((3, 1)),
    "flat": np.ones(3),
    "of a step": np.ones(2),
    "one for all": 1.0,
    "ragged": [[1.0], [1.0, 2.0], []],
}


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER)
def test_an_info_of_varying_shape_is_given_up_and_the_paths_stay(make_path, other):
    infos, twin, steps = TransitionInfos(), TransitionInfos(), np.arange(3)
    paths = [
        make_path(3, seed=seed, env_infos={"x": x, "step": steps + 10 * seed})
        for seed, x in enumerate((np.ones((3, 2)), other, np.ones((3, 2))))
    ]
    infos.note(paths[0])
    with pytest.warns(UserWarning, match="info 'x' differs in shape"):
        infos.note(paths[1])
    twin.load_state_dict(infos.state_dict())
    for store in (infos, twin):
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # it is said once
            store.note(paths[2])
        for seed, path in enumerate(paths):
            known, found = store.of(path)
            assert known.all()
            assert {key: value.tolist() for key, value in found.items()} == {
                "step": (steps + 10 * seed).tolist()
            }


def test_an_info_that_the_first_path_has_no_array_of_is_not_kept(make_path):
    infos = TransitionInfos()
    for seed, x in enumerate((1.0, np.ones(3))):
        infos.note(make_path(3, seed=seed, env_infos={"x": x, "step": np.arange(3)}))
    known, found = infos.of(make_path(3, seed=1))
    assert (known.all(), list(found)) == (True, ["step"])
