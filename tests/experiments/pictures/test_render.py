"""Every family can be drawn, and a recorded path can be gone back to."""

from __future__ import annotations

import numpy as np
import pytest

from env_wrappers import ENVIRONMENTS, make_env
from rlkit_hfr.experiments.pictures.families import random_path
from rlkit_hfr.experiments.pictures.render import PhysicsRecorder, draw_path, draw_tasks, place_goal


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_family_can_be_drawn(name):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    env = make_env(name, seed=0)
    path = random_path(env, 1, 20, np.random.default_rng(0))
    fig, axis = plt.subplots()
    draw_tasks(axis, env, range(len(env.tasks)))
    drawn = len(axis.lines) + len(axis.patches)
    assert drawn > 0
    draw_path(axis, env, path["achieved"])
    assert axis.get_xlabel()
    plt.close(fig)


def test_the_physics_of_a_path_can_be_gone_back_to():
    env = make_env("sawyer-push", n_tasks=3, seed=0)
    path = random_path(env, 2, 12, np.random.default_rng(0))
    for state, achieved in zip(path["physics"], path["achieved"], strict=True):
        env.set_physics(state)
        np.testing.assert_array_equal(np.float32(env._features()), achieved)
    np.testing.assert_array_equal(place_goal(env, 2), env.tasks[2])
    assert place_goal(make_env("cheetah-vel-sparse"), 0) is None
    assert PhysicsRecorder(env).tasks is env.tasks
