"""The two baselines that look at nothing."""

from __future__ import annotations

import numpy as np
import pytest
from two_tasks import path_with_action, two_task_scorer

from rlkit_hfr.relabelers import make_relabeler


def test_random_is_uniform_and_none_stays(make_path):
    scorer, rng = two_task_scorer(), np.random.default_rng(0)
    path = path_with_action(0.0, make_path)
    drawn = [d.tasks for d in make_relabeler("random").decide([path] * 2000, [0] * 2000, scorer, rng)]
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.04)
    assert [d.tasks for d in make_relabeler(None).decide([path] * 3, [1, 0, 1], scorer, rng)] == [1, 0, 1]
