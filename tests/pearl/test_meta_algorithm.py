"""The loop: the rounds in which tasks are visited."""

from __future__ import annotations

import pytest

from rlkit_hfr.pearl.meta_algorithm import rounds_of_distinct


def test_visits_are_split_into_rounds_without_repeats():
    assert rounds_of_distinct([3, 1, 3, 2, 1, 3]) == [[3, 1, 2], [3, 1], [3]]
    assert rounds_of_distinct([]) == []


def test_a_stopped_training_ends_with_its_iteration_and_goes_on(make_algorithm):
    algorithm, rows = make_algorithm(num_iterations=3), []
    algorithm.on_epoch_end = rows.append
    algorithm.stop_requested = True
    algorithm.train()
    assert [row["Epoch"] for row in rows] == [0]
    assert rows[0]["Number of train steps total"] == 4
    algorithm.stop_requested = False
    algorithm.train()
    assert [row["Epoch"] for row in rows] == [0, 1, 2]
    assert rows[-1]["Number of env steps total"] == algorithm._n_env_steps_total


def test_the_columns_of_a_log_can_not_change(make_algorithm):
    algorithm = make_algorithm(num_iterations=2)
    algorithm.on_epoch_end = lambda row: setattr(algorithm, "evaluate", lambda epoch: None)
    with pytest.raises(AssertionError, match="Table keys cannot change"):
        algorithm.train()
