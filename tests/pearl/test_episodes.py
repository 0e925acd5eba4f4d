"""Episodes side by side: each keeps its own steps, and how it ended."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from rlkit_hfr.paths import info_column
from rlkit_hfr.pearl.episodes import Episodes
from rlkit_hfr.pearl.evaluation import path_success
from rlkit_hfr.pearl.stepping import Steps


def _steps(episodes, t, terminals):
    rows = np.array(episodes.active, float)
    obs = np.stack([rows, np.full(len(rows), t + 1.0)], axis=1)
    return Steps(
        obs,
        (10 * rows + t).astype(np.float32),
        np.array(terminals),
        {"at": rows * 100 + t},
        [{"own": i} for i in episodes.active],
    )


def test_episodes_of_different_lengths_keep_their_own_steps():
    """Three episodes of four steps at most; the second ends after one, the first after
    three, the last is cut off.
    """
    episodes = Episodes(np.stack([np.arange(3.0), np.zeros(3)], axis=1), max_path_length=4)
    for t, terminals in enumerate([[False, True, False], [False, False], [True, False], [False]]):
        episodes.append(np.full((len(terminals), 1), t), _steps(episodes, t, terminals))
    assert episodes.active == []
    paths = episodes.paths(np.arange(3))
    assert [len(path["rewards"]) for path in paths] == [3, 1, 4]
    for i, path in enumerate(paths):
        steps = np.arange(len(path["rewards"]))
        np.testing.assert_array_equal(path["rewards"][:, 0], 10 * i + steps)
        np.testing.assert_array_equal(path["env_infos"]["at"], 100 * i + steps)
        np.testing.assert_array_equal(path["env_infos"]["own"], np.full(len(steps), i))
        np.testing.assert_array_equal(path["observations"], np.stack([np.full(len(steps), i), steps], axis=1))
        np.testing.assert_array_equal(path["next_observations"][:-1], path["observations"][1:])
        np.testing.assert_array_equal(path["actions"][:, 0], steps)
        assert path["terminals"][-1, 0] == (i != 2)
        assert path["timeouts"].sum() == path["timeouts"][-1, 0] == (i == 2)
        assert path["context"] == i
        assert all(
            path[key].dtype == np.float32
            for key in ("observations", "next_observations", "actions", "rewards")
        )


def test_paths_own_their_memory():
    """A stored path must not keep those alive that were collected beside it."""
    episodes = Episodes(np.zeros((5, 2)), max_path_length=1)
    episodes.append(
        np.zeros((5, 1)),
        Steps(np.zeros((5, 2)), np.zeros(5, np.float32), np.ones(5, bool), {"at": np.zeros(5)}, [{}] * 5),
    )
    path = episodes.paths(np.zeros((5, 1)))[0]
    arrays = [
        path["env_infos"]["at"],
        *(path[key] for key in ("observations", "next_observations", "actions", "rewards", "terminals")),
    ]
    assert all((array if array.base is None else array.base).size == array.size for array in arrays)


def test_images_are_held_three_times_at_most():
    """As recorded, and as a path's observations and next observations."""
    number, times, size = 4, 50, 2_000
    episodes = Episodes(np.zeros((number, size), np.uint8), times)
    rows = np.zeros(number)
    tracemalloc.start()
    for _ in range(times):
        images = np.ones((number, size), np.uint8)
        episodes.append(
            rows[:, None], Steps(images, rows.astype(np.float32), rows.astype(bool), {}, [{}] * number)
        )
    episodes.paths(rows[:, None])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3.5 * number * times * size


def test_a_terminal_at_the_limit_is_no_time_out():
    episodes = Episodes(np.zeros((1, 2)), max_path_length=1)
    steps = Steps(np.ones((1, 2)), np.zeros(1, np.float32), np.array([True]), {}, [{}])
    episodes.append(np.ones((1, 2)), steps)
    assert not episodes.paths(np.zeros((1, 1)))[0]["timeouts"].any()


def _path_with(infos):
    episodes = Episodes(np.zeros((1, 2)), max_path_length=len(infos))
    for info in infos:
        step = Steps(np.zeros((1, 2)), np.zeros(1, np.float32), np.zeros(1, bool), {}, [info])
        episodes.append(np.zeros((1, 1)), step)
    return episodes.paths(np.zeros(1))[0]


@pytest.mark.parametrize(
    "infos",
    [
        [{"start": 1.0}, {}],
        [{}, {"success": 1.0}],
        [{"contacts": [1]}, {"contacts": [1, 2]}],
    ],
)
def test_infos_that_differ_from_step_to_step_are_kept_as_they_are(infos):
    path = _path_with(infos)
    assert path["env_infos"] == infos
    assert info_column(path, "start") is None
    np.testing.assert_equal(path_success(path), infos[-1].get("success", np.nan))


def test_infos_that_are_alike_are_arrays():
    path = _path_with([{"success": 0.0, "at": [1, 2]}, {"success": 1.0, "at": [3, 4]}])
    assert path["env_infos"]["at"].tolist() == [[1, 2], [3, 4]]
    assert path_success(path) == 1.0
    assert np.isnan(path_success(_path_with([{}, {}])))
