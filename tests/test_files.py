"""Files appear together, or not at all; an interrupt is one line and leaves nothing."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from tiny_runs import FOUR_CORNERS, options

from rlkit_hfr import cli
from rlkit_hfr.experiments.commands.train import main as train
from rlkit_hfr.files import check_writable, half_of, load_sealed, replacing, save_sealed, staged, write_text


def _contents(folder: Path) -> dict[str, bytes | None]:
    return {str(f.relative_to(folder)): f.read_bytes() if f.is_file() else None for f in folder.rglob("*")}


def test_files_are_moved_to_their_folder_together(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with staged(tmp_path / "new" / "deep") as folder:
        (folder / "a.txt").write_text("1")
        assert os.listdir(tmp_path / "new" / "deep") == [folder.name]
    with staged(tmp_path) as folder:
        (folder / "a.txt").write_text("2")
        (folder / "b.txt").write_text("3")
        assert (tmp_path / "a.txt").read_text() == "old"
    files = {name: content for name, content in _contents(tmp_path).items() if content is not None}
    assert files == {"a.txt": b"2", "b.txt": b"3", "new/deep/a.txt": b"1"}


@pytest.mark.parametrize("where", [".", "new/deep"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_all_is_as_before(tmp_path, where, error):
    (tmp_path / "a.txt").write_text("old")

    def fail():
        with staged(tmp_path / where) as folder:
            (folder / "a.txt").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert _contents(tmp_path) == {"a.txt": b"old"}


def test_somebody_elses_files_stay(tmp_path):
    def fail():
        with staged(tmp_path / "new") as folder:
            (folder.parent / "theirs.txt").write_text("precious")
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert _contents(tmp_path) == {"new": None, "new/theirs.txt": b"precious"}


def test_a_folder_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError) as raised, staged(tmp_path / "file"):
        pass
    assert raised.value.filename == str(tmp_path / "file")


@pytest.mark.parametrize("name", ["rows.csv", "rows.tmp", "rows", ".rows", f"{'r' * 251}.csv"])
def test_a_file_is_replaced_and_its_neighbours_stay(tmp_path, name):
    """Whatever they are called: half of it is written under a name that nobody has."""
    file = tmp_path / name
    neighbours = {"rows.tmp", "rows.csv.tmp", "rows.csv", ".rows.csv.partial"} - {name}
    for neighbour in neighbours:
        (tmp_path / neighbour).write_text("precious")
    for text in ("first", "second"):
        write_text(file, text)
        assert file.read_text() == text
    assert set(os.listdir(tmp_path)) == {*neighbours, name}
    assert all((tmp_path / neighbour).read_text() == "precious" for neighbour in neighbours)


def test_a_half_is_recognised_by_its_name(tmp_path):
    def halves():
        return [half_of(name) for name in os.listdir(tmp_path)]

    with replacing(tmp_path / "rows.csv"):
        assert halves() == ["rows.csv"]
    assert halves() == [None]
    for name in ("rows.tmp", "rows.csv.partial", ".rows.csv.0123abcg.partial", ".0123abcd.partial"):
        assert half_of(name) is None


def test_that_a_file_can_not_be_written_is_known_beforehand(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    before = sorted(os.listdir(tmp_path))
    check_writable(tmp_path / "file")
    check_writable(tmp_path / "new")
    for name in (".", "..", "link", "pipe", "nowhere/file", "file/below", "x" * 256):
        with pytest.raises(OSError) as raised:
            check_writable(tmp_path / name)
        assert raised.value.filename == str(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "file").read_text() == "old"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    pairs = options(["n_train_tasks=3", "n_eval_tasks=2", *FOUR_CORNERS])
    assert train(["--env", "point-robot", "--preset", "quick", "--run-dir", str(folder), *pairs]) == 0
    return folder


@pytest.fixture(scope="module")
def corners(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corners") / "run"
    what = ["--env", "four-corners", "--relabeler", "hfr", "--preset", "quick"]
    assert train([*what, "--run-dir", str(folder), *options(FOUR_CORNERS)]) == 0
    return folder


_PICTURES = "rlkit_hfr.experiments.pictures"
_COMMANDS = {
    "plot": (["{run}", "--out", "{out}"], "rlkit_hfr.experiments.analysis.figures", "draw_curves"),
    "watch": (["--run", "{run}"], f"{_PICTURES}.adaptation", "draw_path"),
    "show-env": (["--env", "point-robot", "--out", "{out}"], f"{_PICTURES}.families", "draw_path"),
    "four-corners": (["--run", "{corners}", "--output", "{out}"], f"{_PICTURES}.hovering", "draw_choices"),
}


@pytest.mark.parametrize("program", _COMMANDS)
def test_an_interrupt_while_pictures_are_made_is_one_line_and_leaves_nothing(tmp_path, run, corners, program):
    arguments, module, name = _COMMANDS[program]
    given = [part.format(run=run, corners=corners, out=tmp_path / "a" / "b") for part in arguments]
    before = _contents(run), _contents(tmp_path)
    said, child = tmp_path.parent / f"{program}.txt", os.fork()
    if child == 0:
        code = 99
        try:
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.stderr = os.fdopen(2, "w")
            signal.signal(signal.SIGINT, signal.default_int_handler)
            setattr(
                importlib.import_module(module), name, lambda *_, **__: signal.raise_signal(signal.SIGINT)
            )
            code = cli.main([program, *given])
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert (os.waitstatus_to_exitcode(status), said.read_text()) == (130, "Interrupted.\n")
    assert (_contents(run), _contents(tmp_path)) == before


@pytest.mark.parametrize("keep", [0, 1, 21, 22, 100, -1, -40, -71, -72])
def test_a_file_that_was_cut_is_refused(tmp_path, keep):
    save_sealed(tmp_path / "a.pt", {"weights": torch.arange(100)})
    whole = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(whole[:keep])
    with pytest.raises(ValueError):
        load_sealed(tmp_path / "a.pt")


def test_sealed_files_are_plain_archives_for_everybody_else(tmp_path):
    save_sealed(tmp_path / "a.pt", {"weights": torch.arange(100)})
    assert torch.load(tmp_path / "a.pt", weights_only=True)["weights"].sum() == 4950
    assert zipfile.ZipFile(tmp_path / "a.pt").testzip() is None
    assert load_sealed(tmp_path / "a.pt")[1]
    torch.save({"weights": 1}, tmp_path / "a.pt")
    assert load_sealed(tmp_path / "a.pt") == ({"weights": 1}, False)


def test_a_replaced_file_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    (tmp_path / "a.json").write_text("old")

    def fail():
        with replacing(tmp_path / "a.json") as file:
            file.write(b"half a new o")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert _contents(tmp_path) == {"a.json": b"old"}
