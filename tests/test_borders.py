"""What users' functions and relabelers return is checked before it is stored, and the
error says whose it is.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from rlkit_hfr import RelabelDecision, Relabeler, attach
from rlkit_hfr.pearl.logger import logger, setup_logger


def test_a_reward_that_is_not_finite_stops_the_run_before_it_is_stored(make_algorithm):
    algorithm = make_algorithm()

    def rewards_of_mine(path, tasks):
        return np.full((len(tasks), len(path["rewards"])), np.nan)

    attach(algorithm, "random", rewards=rewards_of_mine, relabel_fraction=1.0, seed=0)
    with pytest.raises(ValueError, match="rewards of .*rewards_of_mine must be finite"):
        algorithm.train()
    for buffer in algorithm.replay_buffer.task_buffers.values():
        assert np.isfinite(buffer._rewards[: buffer.num_steps_can_sample()]).all()


class Mine(Relabeler):
    name = "mine"

    def __init__(self, decide):
        self._decide = decide

    def decide(self, paths, source_tasks, scorer, rng):
        number = len(scorer.candidate_tasks)
        probs, nothing = np.full(number, 1 / number), np.full(number, np.nan)
        good = dict(tasks=source_tasks[0], probs=probs, utilities=nothing, log_partition=nothing)
        made = self._decide(good, len(paths))
        return [RelabelDecision(**{**good, **made}) for _ in paths] if isinstance(made, dict) else made


@pytest.mark.parametrize(
    ("decide", "message"),
    [
        (lambda good, n: None, "must return a list"),
        (lambda good, n: [], "one decision per path, got 0"),
        (lambda good, n: [3] * n, "must be a RelabelDecision, got int"),
        (lambda good, n: {"probs": good["probs"] * np.nan}, "finite and zero or more, got nan"),
        (lambda good, n: {"probs": np.array([1.5, -0.5, 0, 0, 0])}, "got -0.5 for candidate 1"),
        (lambda good, n: {"probs": good["probs"] * 2}, "must sum to 1, got 2"),
        (lambda good, n: {"probs": [0.2] * 5}, "got list"),
        (lambda good, n: {"probs": good["probs"][:3]}, r"an array of 5 real numbers.*\(3,\)"),
        (lambda good, n: {"tasks": (1, 1)}, "distinct"),
        (lambda good, n: {"tasks": ()}, "empty tuple"),
        (lambda good, n: {"tasks": 99}, "unknown task 99"),
        (lambda good, n: {"tasks": True}, "unknown task True"),
        (lambda good, n: {"tasks": 1.0}, "unknown task 1.0"),
        (lambda good, n: {"tasks": [1]}, "unknown task"),
        (lambda good, n: {"tasks": np.array([1, 1])}, "each of the path's 10 steps"),
        (lambda good, n: {"tasks": np.full(10, 99)}, "unknown task 99"),
        (lambda good, n: {"utilities": np.zeros(2)}, "utilities must be an array of 5"),
        (lambda good, n: {"log_partition": None}, "log_partition must be an array of 5"),
    ],
)
def test_a_decision_that_is_none_names_the_relabeler(make_algorithm, decide, message):
    algorithm = make_algorithm()
    attach(algorithm, Mine(decide), relabel_fraction=1.0, seed=0)
    with pytest.raises(ValueError, match="relabeler 'mine'.*" + message):
        algorithm.train()


@pytest.mark.parametrize(
    "change", [{}, {"tasks": (1, 2)}, {"tasks": np.int64(3)}, {"tasks": np.arange(10) % 5}]
)
def test_decisions_of_every_kind_are_taken(make_algorithm, change):
    algorithm = make_algorithm()
    relabeling = attach(algorithm, Mine(lambda good, n: change), relabel_fraction=1.0, seed=0)
    algorithm.train()
    assert relabeling.statistics["relabel/paths relabeled"] > 0


def _go_on(algorithm, iterations=1):
    algorithm.config = copy.replace(algorithm.config) if hasattr(copy, "replace") else algorithm.config
    object.__setattr__(algorithm.config, "num_iterations", algorithm.iterations_done + iterations)
    algorithm.train()


@pytest.mark.filterwarnings("ignore:the buffers hold data already")
def test_attach_and_detach_in_mid_run_change_the_rows_that_follow(make_algorithm):
    algorithm = make_algorithm()
    rows = []
    algorithm.on_epoch_end = rows.append
    algorithm.train()
    relabeling = attach(algorithm, "random", relabel_fraction=1.0, seed=0)
    _go_on(algorithm, 6)
    relabeling.detach()
    _go_on(algorithm)
    assert ["relabel/paths seen" in row for row in rows] == [False] * 2 + [True] * 6 + [False]
    assert rows[2]["relabel/paths seen"] > 0
    assert rows[2]["relabel/paths relabeled"] == 0  # not before every task has a new path
    assert rows[7]["relabel/paths relabeled"] > 0
    assert rows[7]["relabel/share that changed task"] > 0


def test_attach_is_refused_where_a_file_has_the_columns_of_its_first_row(make_algorithm, tmp_path):
    setup_logger(tmp_path, {})
    algorithm = make_algorithm()
    algorithm.train()
    before = vars(algorithm).copy()
    with pytest.raises(ValueError, match="attach before train"), pytest.warns(UserWarning, match="hold data"):
        attach(algorithm, "random", seed=0)
    assert vars(algorithm) == before
    _go_on(algorithm)
    assert logger.get_snapshot_dir() == str(tmp_path)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda algorithm: pickle.loads(pickle.dumps(algorithm))])
@pytest.mark.parametrize("trained", [False, True])
def test_a_copy_of_an_attached_algorithm_is_one_without_relabeling(make_algorithm, copied, trained):
    algorithm = make_algorithm()
    relabeling = attach(algorithm, "random", relabel_fraction=1.0, seed=0)
    if trained:
        algorithm.train()
    twin, rows, own = copied_of(algorithm, copied), [], []
    twin.on_epoch_end = rows.append
    _go_on(twin)
    assert not any(key.startswith("relabel/") for key in rows[0])
    assert not getattr(twin.enc_replay_buffer, "is_relabeling", False)
    algorithm.on_epoch_end = own.append
    _go_on(algorithm)
    assert own[0]["relabel/paths seen"] > 0
    assert relabeling.statistics["relabel/paths seen"] > 0


def copied_of(algorithm, copied):
    return copied(algorithm)


class Forgetful(Relabeler):
    name = "forgetful"

    def decide(self, paths, source_tasks, scorer, rng):
        return []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": "x"}, "seed must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"host": 5}, "unknown host 5"),
        ({"host": ["oyster"]}, "unknown host"),
        ({"original_contexts": "x"}, "original_contexts must be a number"),
        ({"stale_context": ["drop"]}, "stale_context must be one of"),
        ({"precision": np.array(["fp32"])}, "precision must be one of"),
    ],
)
def test_options_of_attach_of_another_type_are_refused_by_name(make_algorithm, options, message):
    algorithm = make_algorithm()
    before = vars(algorithm).copy()
    with pytest.raises(ValueError, match=message):
        attach(algorithm, "random", **options)
    assert vars(algorithm) == before


@pytest.mark.parametrize("name", ["stored_trajectories", "stored_initial_states"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "many", None])
def test_what_a_relabeler_wants_kept_is_a_positive_number(make_algorithm, name, value):
    relabeler = Forgetful()
    setattr(relabeler, name, value)
    with pytest.raises(ValueError, match=name):
        attach(make_algorithm(), relabeler)


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_relabeler_has_a_name(make_algorithm, name):
    relabeler = type("Nameless", (Forgetful,), {"name": name})
    with pytest.raises(ValueError, match="Nameless needs a name"):
        attach(make_algorithm(), relabeler)
