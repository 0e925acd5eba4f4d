"""What is said of decisions on tasks that are none, or probabilities that are none."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.relabelers.decisions import check_decisions
from rlkit_hfr.relabelers.relabeler import RelabelDecision

PATH = dict(rewards=np.zeros((3, 1)))


def _said(tasks, probs, candidates):
    unknown = np.full(len(candidates), np.nan)
    decision = RelabelDecision(tasks, np.asarray(probs, float), unknown, unknown)
    with pytest.raises(ValueError) as error:
        check_decisions([decision], [PATH], candidates, make_relabeler("random"))
    return str(error.value)


@pytest.mark.parametrize(("number", "end"), [(10, "8, 9"), (11, "8, 9, ...")])
def test_an_unknown_task_is_answered_with_the_first_ten_that_there_are(number, end):
    said = _said(number, np.full(number, 1.0 / number), range(number))
    assert said.startswith(f"relabeler 'random', decision 0: unknown task {number}; ")
    assert said.endswith(end)


@pytest.mark.parametrize("tasks", [(1, 1), (), True, 1.0, np.array([0, 1]), np.array([0.0, 1.0, 1.0])])
def test_what_names_no_task_or_one_twice_is_refused(tasks):
    assert "decision 0" in _said(tasks, [0.5, 0.5], [0, 1])


@pytest.mark.parametrize("probs", [[0.5, 0.6], [-0.5, 1.5], [np.nan, 1.0], [1.0], [0.5, 0.5 - 2e-3]])
def test_probabilities_are_non_negative_and_sum_to_one(probs):
    assert "probs" in _said(0, probs, [0, 1])


def test_what_is_right_comes_back():
    unknown = np.full(2, np.nan)
    decisions = [RelabelDecision(1, np.array([0.5, 0.5 + 5e-4]), unknown, unknown)]
    assert check_decisions(decisions, [PATH], [0, 1], make_relabeler("random")) == decisions
