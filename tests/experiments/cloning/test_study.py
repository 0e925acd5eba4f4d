"""Studies go on where they were stopped, and leave the files of others alone."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pytest
import torch

from rlkit_hfr.experiments.cloning import study as studies
from rlkit_hfr.experiments.cloning.learner import CloningSettings, clone
from rlkit_hfr.experiments.cloning.study import Study, interval, run_study, table
from rlkit_hfr.experiments.commands import hipi_bc

SMALL = Study(
    env="sparse-point-robot",
    labellers=("random", "hipi-trajectory"),
    seeds=2,
    demonstrations=60,
    episodes=20,
    noise=0.1,
    assignments=("n_train_tasks=4", "n_eval_tasks=2"),
    cloning=CloningSettings(hidden_size=64, learning_rate=3e-3, max_epochs=40),
)


def _files(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_study_that_was_killed_goes_on_bit_for_bit_and_inverse_rl_beats_random(
    tmp_path, monkeypatch, kill_in_call
):
    made = []

    def recorded(*args):
        """Clones, and writes the weights down under the error that the policy's result has."""
        policy, errors = clone(*args)
        weights = torch.cat([weight.flatten() for weight in policy.state_dict().values()])
        place = tmp_path / f"weights of {study}"
        place.mkdir(exist_ok=True)
        (place / repr(min(errors))).write_bytes(weights.numpy().tobytes())
        made.append(study)
        return policy, errors

    monkeypatch.setattr(studies, "clone", recorded)
    study = "whole"
    results = run_study(SMALL, tmp_path / study)
    returns = {name: [r["return"] for r in results if r["labeller"] == name] for name in SMALL.labellers}
    assert min(returns["hipi-trajectory"]) > max(returns["random"])

    study = "killed"
    torch.manual_seed(99)  # a new process begins with other draws
    # in a gradient step of the second policy
    steps = 10 + 5 * results[0]["epochs"]
    kill_in_call(lambda: run_study(SMALL, tmp_path / study), torch.optim.Adam, "step", steps)
    assert [file.name for file in (tmp_path / study).glob("*-s-*")] == ["random-s-0.json"]
    run_study(SMALL, tmp_path / study)
    assert made == ["whole"] * 4 + ["killed"] * 3  # what was done was not done again
    assert _files(tmp_path / "killed") == _files(tmp_path / "whole")
    weights = _files(tmp_path / "weights of whole")
    assert len(weights) == 4
    assert _files(tmp_path / "weights of killed") == weights
    with pytest.raises(ValueError, match="other settings"):
        run_study(Study(env="point-robot"), tmp_path / "whole")


def test_the_table_ranks_by_return_with_intervals_over_seeds():
    rows = [
        dict(labeller=name, seed=seed, success=None, true_labels=None, return_under_label=None, epochs=5)
        | {"return": value + seed}
        for name, value in (("random", 0.0), ("best", 10.0), ("same", 0.0))
        for seed in range(2)
    ]
    lines = table(rows).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["`best`", "`random`", "`same`"]
    assert "| 10.5 | [10, 11] | – | 1.00 |" in lines[2]
    assert "| 0.50 |" in lines[4]
    assert interval(np.array([3.0, 3.0])) == (3.0, 3.0)


def test_files_of_others_that_a_study_would_write_are_left_alone(tmp_path, capsys):
    (tmp_path / "table.md").write_text("precious")
    assert hipi_bc.main(["--env", "point-robot", "--output", str(tmp_path)]) == 2
    assert "holds table.md and no study.json" in capsys.readouterr().err
    assert _files(tmp_path) == {"table.md": b"precious"}


def test_a_result_that_was_edited_is_refused(tmp_path, capsys):
    arguments = ["--env", "point-robot", "--labellers", "true", "--seeds", "1", "--demonstrations", "3",
                 "--episodes", "2", "--output", str(tmp_path)]  # fmt: skip
    assert hipi_bc.main(arguments) == 0
    assert hipi_bc.main(arguments) == 0
    file = tmp_path / "true-s-0.json"
    result = json.loads(file.read_text())
    capsys.readouterr()
    for changes in ({"return": result["return"] + 1.0}, {"seed": 1}, {"labeller": "random"}, {"more": 1}):
        file.write_text(json.dumps({**result, **changes}))
        assert hipi_bc.main(arguments) == 2
        assert "true-s-0.json is not as the study wrote it" in capsys.readouterr().err
    del result["sha256"]  # as those of before the checksum are
    file.write_text(json.dumps(result))
    assert hipi_bc.main(arguments) == 0


@pytest.mark.parametrize("name", ["study.json", "true-s-0.json"])
@pytest.mark.parametrize("content", ["{", "[1]", "{}", '{"labeller": "true", "return": "<script>"}', None])
def test_a_damaged_file_of_a_study_is_named(tmp_path, capsys, name, content):
    arguments = ["--env", "point-robot", "--labellers", "true", "--seeds", "1", "--output", str(tmp_path)]
    settings = dataclasses.asdict(Study(env="point-robot", labellers=("true",), seeds=1))
    (tmp_path / "study.json").write_text(json.dumps(settings, default=list))
    (tmp_path / name).unlink(missing_ok=True)
    if content is None:
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).write_text(content)
    before = sorted(os.listdir(tmp_path))
    assert hipi_bc.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1
    assert name in error
    assert sorted(os.listdir(tmp_path)) == before


def test_success_is_read_from_infos_of_either_kind():
    steps = dict(rewards=np.ones((2, 1)))
    arrays = {**steps, "env_infos": {"success": np.array([0.0, 1.0])}}
    listed = {**steps, "env_infos": [{"success": 0.0}, {"success": 0.0, "episode": 1}]}
    assert studies._figures([arrays, listed], False) == {"return": 2.0, "success": 0.5}
    assert studies._figures([{**steps, "env_infos": {}}], False)["success"] is None
