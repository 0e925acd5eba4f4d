"""What can't be read is left out with one warning that names it; the report of the rest
is always made.
"""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from log_files import OURS, settings_of

from rlkit_hfr.experiments.analysis import drawing, figures
from rlkit_hfr.experiments.analysis.logs import load_runs
from rlkit_hfr.experiments.commands.plot import main

RELABELED = {"relabel/effective tasks": 2.0, "relabel/share that changed task": 0.5}


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    """Drawing is slow, and what is drawn is tested elsewhere: only the PNGs are saved, small."""

    def save(figure, stem):
        figure.savefig(stem.with_name(f"{stem.name}.png"), dpi=20)
        drawing.plt.close(figure)
        return stem.with_name(f"{stem.name}.png")

    monkeypatch.setattr(drawing, "save", save)


def _plot(tmp_path, capsys):
    """The warnings of a report that was made."""
    assert main([str(tmp_path / "runs"), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert "report.html" in printed.out
    assert "sawyer-push" in (tmp_path / "out" / "report.html").read_text()
    lines = printed.err.splitlines()
    assert all(line.startswith("warning: left out ") for line in lines)
    return lines


def _moved(folder, number, **arrays):
    (folder / "relabeling").mkdir(exist_ok=True)
    file = folder / "relabeling" / f"epoch_{number}.npz"
    np.savez(file, **arrays)
    return file


def test_broken_diagnostics(write_run, tmp_path, capsys):
    folder = write_run("runs/a", variant=settings_of(), extra=RELABELED)
    _moved(folder, 0, tasks=np.arange(2), source_to_new=np.array([[1.0, 3.0], [0.0, 0.0]]))
    cut = _moved(folder, 1, tasks=np.arange(2), source_to_new=np.eye(2))
    cut.write_bytes(cut.read_bytes()[:200])
    _moved(folder, 2, source_to_new=np.array([[object()]], dtype=object))
    _moved(folder, 3, something=np.eye(2))
    _moved(folder, 4, source_to_new=np.eye(3))
    _moved(folder, 5, source_to_new=np.array([["a", "b"], ["c", "d"]]))
    _moved(folder, 6, source_to_new=np.full((2, 2), np.nan))
    (folder / "relabeling" / "epoch_7.npz").write_bytes(b"")
    with open(folder / "relabeling" / "epoch_8.npz", "wb") as file:
        np.save(file, np.eye(2))  # an array that is no archive
    (folder / "relabeling" / "epoch_9.npz").mkdir()
    os.mkfifo(folder / "relabeling" / "epoch_a.npz")
    warnings = _plot(tmp_path, capsys)
    named = [next(word for word in line.split() if ".npz" in word).rstrip(":") for line in warnings]
    assert [name[-5] for name in named] == [*"123456789", "a"]
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["relabeling"]["sawyer-push"]["hfr"][
        "moves"
    ] == [{"from": 0, "to": 1, "paths": 3.0, "share": 0.75}]


@pytest.mark.parametrize(
    "content",
    [
        ",".join(OURS.values()) + "\n" + "1" * 140_000 + ",1,1\n",
        ",".join(OURS.values()) + "\n100,inf,.5\n200,-inf,.5\n",
        ",".join(OURS.values()) + "\n100,1e300,.5\n",
        ",".join(OURS.values()) + "\nnan,1,.5\n100,nan,.5\n",
        "\0\1\2\0\n\0",
        "",
    ],
)
def test_broken_logs(content, write_run, tmp_path, capsys):
    write_run("runs/good", variant=settings_of())
    write_run("runs/bad", variant=settings_of(seed=1))
    (tmp_path / "runs" / "bad" / "progress.csv").write_text(content)
    (warning,) = _plot(tmp_path, capsys)
    assert "bad/progress.csv" in warning


def test_logs_that_are_no_files(write_run, tmp_path, capsys):
    write_run("runs/good", variant=settings_of())
    (tmp_path / "runs" / "folder" / "progress.csv").mkdir(parents=True)
    (tmp_path / "runs" / "pipe").mkdir()
    os.mkfifo(tmp_path / "runs" / "pipe" / "progress.csv")
    assert len(_plot(tmp_path, capsys)) == 2


def test_single_values_that_are_not_finite_are_missing(write_run, tmp_path):
    folder = write_run("a", variant=settings_of())
    text = (folder / "progress.csv").read_text().replace("300,2.0,", "300,inf,")
    (folder / "progress.csv").write_text(text + "1300,1e301,.5\n")
    returns = load_runs([tmp_path])[0].table["test return"]
    assert np.flatnonzero(returns.isna()).tolist() == [2, 12]


@pytest.mark.parametrize(
    "env", ["../../x/y", "a$b$^_", "$", "\ud800", "x" * 5000, "\n\n# a", None, 7, {"a": 1}, "..", "CON"]
)
def test_names_of_environments(env, write_run, tmp_path, capsys):
    write_run("runs/good", variant=settings_of(), extra=RELABELED)
    write_run("runs/odd/s-0", variant={**settings_of(), "env_name": env}, extra=RELABELED)
    before = {path for path in tmp_path.rglob("*") if "out" not in path.parts}
    assert _plot(tmp_path, capsys) == []
    assert {path for path in tmp_path.rglob("*") if "out" not in path.parts} == before
    assert len(list((tmp_path / "out").glob("relabeling-*.png"))) == 2


@pytest.mark.parametrize(
    "odd",
    [
        {"versions": None},
        {"versions": [1]},
        {"versions": {"torch": {"a": None}}},
        {"machine": [1], "started": 3},
        {"seed": "zero"},
        {"seed": 10**30},
        {"seed": True},
        {"relabeler": None},
        {"relabeler": ["$x^", "_"]},
        {"relabeler": "_\ud800$"},
        {"algo_params": None},
        {"algo_params": {"\ud800": float("nan")}},
    ],
)
def test_odd_settings(odd, write_run, tmp_path, capsys):
    write_run("runs/good", variant=settings_of(), extra=RELABELED)
    write_run("runs/odd/s-0", variant={**settings_of(), **odd}, extra=RELABELED)
    assert _plot(tmp_path, capsys) == []


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000, "null", '"a"'])
def test_settings_and_commands_that_are_no_objects(text, write_run, tmp_path, capsys):
    write_run("runs/good", variant=settings_of())
    write_run("runs/sawyer-push/bad")
    (tmp_path / "runs" / "sawyer-push" / "bad" / "variant.json").write_text(text)
    (tmp_path / "runs" / "compare.json").write_text(text)
    warnings = _plot(tmp_path, capsys)
    assert len(warnings) == 2
    assert "bad/variant.json" in warnings[0]
    assert "compare.json" in warnings[1]


@pytest.mark.parametrize("commands", [[1], {"a": 1}, "x", None])
def test_commands_that_are_none(commands, write_run, tmp_path, capsys):
    write_run("runs/good", variant=settings_of())
    (tmp_path / "runs" / "compare.json").write_text(json.dumps({"commands": commands}))
    (warning,) = _plot(tmp_path, capsys)
    assert "compare.json" in warning


def test_methods_that_share_no_environment(write_run, tmp_path, capsys):
    write_run("runs/a", variant=settings_of())
    write_run("runs/b", variant=settings_of("none", env="other"))
    assert _plot(tmp_path, capsys) == []
    assert not (tmp_path / "out" / "aggregate.png").exists()


def test_a_figure_that_cannot_be_drawn(write_run, tmp_path, capsys, monkeypatch):
    write_run("runs/a", variant=settings_of())
    monkeypatch.setattr(figures, "draw_curves", lambda *_: 1 / 0)
    (warning,) = _plot(tmp_path, capsys)
    assert "curves.png" in warning
