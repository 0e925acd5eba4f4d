"""What the command refuses before anything is written."""

from __future__ import annotations

import re

import pytest

from rlkit_hfr.experiments.commands import hipi_bc


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --env NAME"),
        (["--env", "point-robot", "--run", "x"], "leave out --env"),
        (["--env", "point-robot", "--seeds", "0"], "--seeds must be from 1 to"),
        (["--env", "point-robot", "--episodes", str(2**63)], "--episodes must be from 1 to"),
        (["--env", "nope"], "unknown environment 'nope'"),
        (["--env", "point-robot", "--set", "n_train_tasks=0"], "n_train_tasks"),
        (["--env", "cheetah-vel"], "has no scripted expert"),
        (["--env", "point-robot", "--labellers", "hipii"], "did you mean 'hipi'"),
        (["--env", "point-robot", "--option", "tempo=1"], "no labeller of .* has an option 'tempo'"),
        (["--env", "point-robot", "--noise", "-1"], "--noise must be zero or more"),
        (["--run", "nowhere"], "nowhere"),
    ],
)
def test_what_it_cannot_do_is_one_line(tmp_path, capsys, arguments, message):
    assert hipi_bc.main([*arguments, "--output", str(tmp_path / "a" / "b")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1
    assert re.search(message, error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("labeller", ["hfr", "htr"])
@pytest.mark.parametrize("where", ["new/deep", "theirs"])
def test_a_labeller_that_can_not_label_leaves_nothing(tmp_path, capsys, labeller, where):
    """Also where another one could, and stands before it."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "notes.txt").write_text("precious")
    before = sorted(map(str, tmp_path.rglob("*")))
    small = ["--seeds", "1", "--demonstrations", "3", "--episodes", "2"]
    arguments = ["--env", "point-robot", "--labellers", "true", labeller, *small]
    assert hipi_bc.main([*arguments, "--output", str(tmp_path / where)]) == 2
    assert f"labeller {labeller!r}" in capsys.readouterr().err
    assert sorted(map(str, tmp_path.rglob("*"))) == before


@pytest.mark.parametrize("option", ["num_partition_samples=10000000", "temperature=NaN", "temperature"])
def test_options_are_checked_like_those_of_a_run(tmp_path, capsys, option):
    arguments = ["--env", "point-robot", "--labellers", "hipi-trajectory", "--option", option]
    assert hipi_bc.main([*arguments, "--output", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err
    assert option.partition("=")[0] in error
    assert "--set" not in error
    assert list(tmp_path.iterdir()) == []
