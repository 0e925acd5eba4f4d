"""Demonstrations of scripted experts and of trained agents."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tiny_runs import assignments, options

from env_wrappers import make_env
from rlkit_hfr.experiments.cloning.demonstrations import ScriptedAgent, of_agent, scripted
from rlkit_hfr.experiments.commands import hipi_bc, train


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("point-robot", {}),
        ("sparse-point-robot", {}),
        ("sawyer-reach", {}),
        ("sawyer-reach", {"obs_unit": 0.1}),
        ("sawyer-reach", {"obs_dim": 39}),
    ],
)
def test_the_scripted_expert_solves_its_tasks_and_noise_is_noise(name, options):
    env = make_env(name, n_tasks=3, seed=0, **options)
    for path, task in zip(*scripted(env, [0, 1, 2], 3, 60, 0.0, 0)[:2], strict=True):
        achieved = path["env_infos"]["achieved"][-1]
        assert np.linalg.norm(achieved - env.tasks[task]) < 0.06
    rng = np.random.default_rng(0)
    agent = ScriptedAgent(make_env("point-robot", n_tasks=1), 0.2, rng)
    spread = agent.get_actions(np.zeros((4000, 2)))  # z is zero: the goal is where it stands
    assert spread.std() == pytest.approx(0.2, abs=0.01)
    with pytest.raises(ValueError, match="Ant.* has no scripted expert"):
        scripted(make_env("ant-dir"), [0], 1, 5, 0.0, 0)


def test_the_demonstrations_of_a_trained_agent_and_labellers_that_ask_it(tmp_path, capsys):
    tiny = assignments(
        num_iterations=1, num_train_steps_per_itr=2, num_steps_per_eval=60, num_exp_traj_eval=1
    )
    run = tmp_path / "run"
    assert train.main(["--env", "sparse-point-robot", "--run-dir", str(run), *options(tiny)]) == 0
    shown = of_agent(run, 5, 0)
    assert len(shown.paths) == len(shown.tasks) == 5
    assert {len(paths) % 2 for paths in shown.exploring.values()} == {0}  # two of three of an adaptation
    again = of_agent(run, 5, 0)
    np.testing.assert_array_equal(again.paths[3]["actions"], shown.paths[3]["actions"])
    arguments = ["--run", str(run), "--labellers", "hfr", "hipi", "cds", "air", "--seeds", "1",
                 "--demonstrations", "8", "--episodes", "4", "--output", str(tmp_path / "out"),
                 "--option", "num_initial_states=4"]  # fmt: skip
    assert hipi_bc.main(arguments) == 0
    assert "| `hfr` |" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "study.json").read_text())["options"] == {"num_initial_states": 4}
