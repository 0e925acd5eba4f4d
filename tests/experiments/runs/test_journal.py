"""A run's files agree with each other, byte by byte, or are refused; nobody else writes
or deletes in between, and nothing is left over.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from file_contents import contents
from tiny_runs import assignments, options, stopping_after

from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.commands.watch import main as watch
from rlkit_hfr.experiments.runs.checkpoint import NAME, is_finished
from rlkit_hfr.experiments.runs.folders import alone_in
from rlkit_hfr.files import load_sealed, save_sealed

SETTINGS = options(assignments(num_iterations=4, relabel_fraction=1.0))
ARGUMENTS = ["--env", "point-robot", "--preset", "quick", *SETTINGS]


def _rows(folder: Path) -> list[list[str]]:
    lines = [line.split(",") for line in (folder / "progress.csv").read_text().splitlines()]
    kept = [i for i, name in enumerate(lines[0]) if "(s)" not in name and "share of time" not in name]
    return [[line[i] for i in kept] for line in lines]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A run that was interrupted in its second iteration, and one that is finished."""
    folder = tmp_path_factory.mktemp("runs")
    with stopping_after(4):
        assert main([*ARGUMENTS, "--run-dir", str(folder / "stopped")]) == 130
    assert main([*ARGUMENTS, "--run-dir", str(folder / "finished")]) == 0
    assert sorted(os.listdir(folder / "finished")) == [
        "debug.log",
        "finished.sha256",
        "params.pkl",
        "progress.csv",
        "relabeling",
        "variant.json",
    ]
    return folder


@pytest.fixture
def stopped(originals, tmp_path):
    return Path(shutil.copytree(originals / "stopped", tmp_path / "stopped"))


@pytest.fixture
def finished(originals, tmp_path):
    return Path(shutil.copytree(originals / "finished", tmp_path / "finished"))


def _refused(folder: Path, capsys, message: str) -> None:
    before = contents(folder)
    capsys.readouterr()
    assert main(["--resume", str(folder)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert contents(folder) == before


def test_a_folder_that_another_process_trains_in_is_not_touched(stopped, capsys):
    (stopped / NAME).unlink()  # the other process has not written it yet
    (stopped / "params.pkl").unlink()
    (stopped / "progress.csv").write_text("half a head")
    before = contents(stopped)
    with alone_in(stopped):
        assert main(["--resume", str(stopped)]) == 2
        assert main([*ARGUMENTS, "--run-dir", str(stopped)]) == 2
        assert {**before, "lock": b""} == contents(stopped)
    assert contents(stopped) == before


def _rewrite(folder: Path, change) -> None:
    content = torch.load(folder / NAME, weights_only=True)
    change(content)
    save_sealed(folder / NAME, content)


def test_a_checkpoint_names_no_files(stopped, tmp_path, capsys):
    other = tmp_path / "somebody's.txt"
    other.write_text("precious")

    def old(content):
        sizes = {"progress.csv": content["logger"]["progress_size"], str(other): 0}
        content["logger"] = {"columns": content["logger"]["columns"], "sizes": sizes}

    assert not {"progress.csv", "debug.log"} & set(torch.load(stopped / NAME, weights_only=True)["logger"])
    _rewrite(stopped, old)
    _refused(stopped, capsys, "other files")
    assert other.read_text() == "precious"


def test_a_log_that_is_a_link_is_not_cut(stopped, tmp_path, capsys):
    other = tmp_path / "somebody's.txt"
    shutil.copy(stopped / "debug.log", other)
    with open(other, "a") as file:
        file.write("precious")
    before = other.read_bytes()
    (stopped / "debug.log").unlink()
    (stopped / "debug.log").symlink_to(other)
    _refused(stopped, capsys, "no regular file")
    assert other.read_bytes() == before


@pytest.mark.parametrize("name", [NAME, "params.pkl"])
def test_every_single_flipped_bit_is_refused(stopped, capsys, name):
    file = stopped / name
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    places = [*rng.integers(len(whole), size=150).tolist(), *range(len(whole) - 100, len(whole))]
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(flipped)
        with pytest.raises(ValueError):
            load_sealed(file)
    program = main if name == NAME else watch
    before = contents(stopped)
    assert program(["--resume" if name == NAME else "--run", str(stopped)]) == 2
    assert "damaged" in capsys.readouterr().err
    assert contents(stopped) == before


def _as_version_0_1_0(folder: Path) -> None:
    content = torch.load(folder / NAME, weights_only=True)
    state = content["logger"]
    sizes = {"progress.csv": state["progress_size"], "debug.log": state["debug_size"]}
    content |= {"format": 1, "logger": {"columns": state["columns"], "sizes": sizes}}
    del content["keep"]
    torch.save(content, folder / NAME)


def test_checkpoints_of_the_version_before_go_on(stopped, finished):
    _as_version_0_1_0(stopped)
    assert main(["--resume", str(stopped)]) == 0
    assert _rows(stopped) == _rows(finished)
    assert not (stopped / NAME).exists()


def test_a_sealed_checkpoint_can_not_be_passed_off_as_an_old_one(stopped, capsys):
    content = torch.load(stopped / NAME, weights_only=True)
    torch.save(content, stopped / NAME)
    _refused(stopped, capsys, "not a checkpoint of this version")


@pytest.mark.parametrize("part", ["variant", "algorithm", "relabeling", "logger", "generators"])
def test_a_checkpoint_that_lacks_a_part_is_refused(stopped, capsys, part):
    _rewrite(stopped, lambda content: content.pop(part))
    _refused(stopped, capsys, f"it has no {part}")


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("algorithm", "iterations_done"),
        ("algorithm", "networks"),
        ("algorithm", "optimizers"),
        ("algorithm", "rng"),
        ("algorithm", "replay_buffer"),
        ("algorithm", "sampler"),
        ("relabeling", "router"),
        ("relabeling", "context"),
        ("relabeling", "networks"),
        ("generators", "torch"),
        ("generators", "python"),
        ("logger", "columns"),
        ("logger", "progress_size"),
        ("logger", "debug_size"),
        ("logger", "progress_sha256"),
    ],
)
def test_a_part_that_lacks_something_is_refused_before_a_file_is_touched(stopped, capsys, part, name):
    _rewrite(stopped, lambda content: content[part].pop(name))
    with open(stopped / "debug.log", "a") as file:
        file.write("what a resume would cut off\n")
    _refused(stopped, capsys, NAME)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("previous_eval_time",), torch.zeros(3)),
        (("previous_eval_time",), None),
        (("env_steps",), "many"),
        (("rng", "state", "state"), 1.5),
        (("rng", "state"), {}),
        (("networks",), {"more": torch.zeros(3)}),
    ],
)
def test_a_part_of_another_kind_is_refused_before_a_file_is_touched(stopped, capsys, place, value):
    def change(content):
        part = content["algorithm"]
        for name in place[:-1]:
            part = part[name]
        part[place[-1]] = value

    _rewrite(stopped, change)
    _refused(stopped, capsys, f"algorithm.{'.'.join(place)}")


@pytest.mark.parametrize("value", [None, "two", 2.0, -1, 99, True, [2]])
def test_a_number_of_iterations_that_is_none_is_refused(stopped, capsys, value):
    _rewrite(stopped, lambda content: content["algorithm"].update(iterations_done=value))
    _refused(stopped, capsys, NAME)


def _edit(folder: Path, number: int) -> None:
    file = folder / "variant.json"
    variant = json.loads(file.read_text())
    variant["algo_params"]["num_iterations"] = number
    file.write_text(json.dumps(variant))


def _append(folder: Path, text: str) -> None:
    with open(folder / "progress.csv", "a") as file:
        file.write(text)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_an_edited_number_of_iterations_is_refused(stopped, finished, capsys, number):
    _edit(stopped, number)
    _refused(stopped, capsys, "other settings" if number > 1 else "2 rows")
    _edit(finished, number)
    assert not is_finished(finished)
    _refused(finished, capsys, f"num_iterations = {number}" if number < 4 else "4 of 5 rows")


def _with_another_learning_rate(folder: Path) -> None:
    file = folder / "variant.json"
    variant = json.loads(file.read_text())
    variant["algo_params"]["qf_lr"] *= 2
    file.write_text(json.dumps(variant))


def _with_another_value(folder: Path) -> None:
    lines = (folder / "progress.csv").read_bytes().split(b"\r\n")
    values = lines[1].split(b",")
    values[0] = values[0][:-1] + (b"1" if values[0][-1:] != b"1" else b"2")
    (folder / "progress.csv").write_bytes(b"\r\n".join([lines[0], b",".join(values), *lines[2:]]))


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda run: _more_columns(run), "progress.csv"),
        (_with_another_value, "progress.csv"),
        (_with_another_learning_rate, "variant.json"),
        (lambda run: (run / "finished.sha256").write_text("junk"), "finished.sha256"),
        (lambda run: (run / "finished.sha256").write_bytes(b"\xff"), "finished.sha256"),
    ],
)
def test_a_finished_run_that_was_edited_is_refused(tmp_path, finished, capsys, edit, message, kept):
    if kept:
        finished = tmp_path / "kept"
        assert main([*ARGUMENTS, "--run-dir", str(finished), "--keep-checkpoint"]) == 0
    before = contents(finished)
    edit(finished)
    assert contents(finished) != before
    assert not is_finished(finished)
    _refused(finished, capsys, message)


def test_the_log_of_a_kept_checkpoint_is_checked_without_sums(tmp_path, capsys):
    assert main([*ARGUMENTS, "--run-dir", str(tmp_path / "a"), "--keep-checkpoint"]) == 0
    (tmp_path / "a" / "finished.sha256").unlink()
    _with_another_value(tmp_path / "a")
    _refused(tmp_path / "a", capsys, "progress.csv is not the file that checkpoint.pt was written with")


def test_sums_are_those_of_sha256sum_and_older_runs_have_none(finished, capsys):
    for line in (finished / "finished.sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert digest == hashlib.sha256((finished / name).read_bytes()).hexdigest()
    (finished / "finished.sha256").unlink()
    assert is_finished(finished)
    assert main(["--resume", str(finished)]) == 0
    assert not (finished / "finished.sha256").exists()


def _more_columns(folder: Path) -> None:
    lines = (folder / "progress.csv").read_text().splitlines()
    (folder / "progress.csv").write_text("".join(f"{line},extra\r\n" for line in lines))


def _with_a_row(folder: Path, values) -> None:
    lines = (folder / "progress.csv").read_text().splitlines()
    _append(folder, ",".join(values(lines)) + "\r\n")


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: _append(run, "junk\r\n"),
        lambda run: _append(run, "junk,1\r\n" * 4),
        lambda run: _append(run, '"\r\n'),
        lambda run: _append(run, "\0\r\n"),
        lambda run: _append(run, "\r\n"),
        lambda run: _with_a_row(run, lambda lines: lines[-1].split(",")),
        lambda run: _with_a_row(run, lambda lines: ["7"] * len(lines[0].split(","))),
        lambda run: (run / "progress.csv").write_bytes(
            b"\xff" * (run / "progress.csv").stat().st_size + b"\n"
        ),
        lambda run: (run / "progress.csv").write_bytes(b"a" * (run / "progress.csv").stat().st_size),
        lambda run: (run / "progress.csv").unlink(),
    ],
)
@pytest.mark.parametrize("which", ["stopped", "finished"])
def test_rows_that_the_run_did_not_write_are_refused(request, capsys, damage, which):
    folder = request.getfixturevalue(which)
    damage(folder)
    assert not is_finished(folder)
    _refused(folder, capsys, str(folder))


def test_another_column_in_every_row_is_refused(stopped, capsys):
    _more_columns(stopped)
    _refused(stopped, capsys, "other columns")


def test_another_value_in_a_row_is_refused(stopped, capsys):
    _with_another_value(stopped)
    _refused(stopped, capsys, "progress.csv is not the file that the checkpoint was written with")


def test_what_a_kill_in_the_last_write_leaves_is_cleared_away(finished, stopped, capsys):
    shutil.copy(stopped / NAME, finished / NAME)
    content = torch.load(finished / NAME, weights_only=True)
    content["algorithm"]["iterations_done"] = 4
    content["logger"]["progress_sha256"] = hashlib.sha256(
        (finished / "progress.csv").read_bytes()
    ).hexdigest()
    save_sealed(finished / NAME, content)
    (finished / "finished.sha256").unlink()
    for name in ("checkpoint.pt", "params.pkl", "relabeling/epoch_3.npz", "finished.sha256"):
        file = finished / name
        file.with_name(f".{file.name}.0123abcd.partial").write_text("")
    (finished / "lock").write_text("")
    (finished / "params.tmp").write_text("somebody's")
    assert main(["--resume", str(finished)]) == 0
    assert "Finished already" in capsys.readouterr().out
    left = {"debug.log", "finished.sha256", "params.pkl", "progress.csv", "relabeling", "variant.json"}
    assert set(os.listdir(finished)) == {*left, "params.tmp"}
    assert not list(finished.rglob("*.partial"))


def test_a_checkpoint_that_was_to_be_kept_is_kept(tmp_path, capsys):
    folder = tmp_path / "run"
    assert main([*ARGUMENTS, "--run-dir", str(folder), "--keep-checkpoint"]) == 0
    assert main(["--resume", str(folder)]) == 0
    assert "Finished already" in capsys.readouterr().out
    assert (folder / NAME).exists()
    assert not (folder / "lock").exists()


def test_a_pipe_for_a_file_is_refused(stopped, capsys):
    for name in (NAME, "progress.csv", "variant.json"):
        kept = (stopped / name).read_bytes()
        (stopped / name).unlink()
        os.mkfifo(stopped / name)
        assert main(["--resume", str(stopped)]) == 2
        assert name in capsys.readouterr().err
        (stopped / name).unlink()
        (stopped / name).write_bytes(kept)
