"""Where each method sends one path."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr import RELABELERS, attach
from rlkit_hfr.experiments.pictures.choices import choices, draw_choices


def test_shares_are_of_every_method_that_moves_paths_and_sum_to_one(make_algorithm, tmp_path):
    algorithm = make_algorithm("four-corners", num_iterations=1)
    relabeling = attach(algorithm, "hfr", seed=0, num_initial_states=4)
    algorithm.train()
    scorer = relabeling.scorer
    scorer.refresh()
    algorithm.agent.clear_z(num_tasks=4)
    history = algorithm.sampler.obtain_paths(algorithm.train_tasks)
    path, corner = history[0], 2
    goal = np.float32(algorithm.env.tasks[corner])
    ends = np.array(path["env_infos"]["achieved"])
    ends[-1] = goal  # it ends in the corner of task 2
    path = {**path, "env_infos": {**path["env_infos"], "achieved": ends}}
    shares = choices(path, 0, scorer, history, 50, np.random.default_rng(0))
    assert set(shares) == {name for name in RELABELERS if name != "none" and "sampling" not in name}
    for own in shares.values():
        assert len(own) == 4
        assert sum(own) == pytest.approx(1.0)
    assert shares["final-state"] == [0.0, 0.0, 1.0, 0.0]
    assert 0.0 < min(shares["random"]) < max(shares["random"]) < 0.6
    draw_choices(shares, ["a", "b", "c", "d"], tmp_path / "choices.png", "title")
    assert (tmp_path / "choices.png").read_bytes()[:4] == b"\x89PNG"
