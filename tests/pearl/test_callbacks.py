"""A training from Python shows itself, keeps rlkit's files, and tells its callbacks."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from env_wrappers import make_env
from rlkit_hfr import attach
from rlkit_hfr.pearl import Callback, PEARLConfig, PEARLSoftActorCritic, build_nets
from rlkit_hfr.pearl.logger import logger, setup_logger

ROOT = Path(__file__).parents[2]


@pytest.fixture
def build(make_algorithm):
    """As a user builds it: nothing is said of console or log."""

    def build(**options):
        blank = make_algorithm()
        env = make_env("point-robot", n_tasks=7, seed=0)
        nets = build_nets(2, 2, 3, 16, blank.config)
        return PEARLSoftActorCritic(env, range(5), [5, 6], nets, blank.config, seed=4, **options)

    return build


def _epochs(folder):
    with open(folder / "progress.csv", newline="") as file:
        return [row["Epoch"] for row in csv.DictReader(file)]


def test_by_default_a_training_shows_its_iterations_and_keeps_a_log(build, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    algorithm = build()
    attach(algorithm, "hfr", seed=0, num_initial_states=4)
    algorithm.train()
    lines = capsys.readouterr().out.splitlines()
    (folder,) = tmp_path.glob("output/*/*")
    assert lines[0] == f"Log: {folder}"
    assert [line.split()[0] for line in lines[1:]] == ["1/2", "2/2"]
    assert _epochs(folder) == ["0", "1"]
    variant = json.loads((folder / "variant.json").read_text())
    assert variant["relabeler"] == "hfr"
    assert variant["env_name"] == type(algorithm.env).__name__
    assert variant["seed"] == 4
    assert variant["algo_params"]["num_iterations"] == 2
    assert logger.get_snapshot_dir() is None


def test_two_algorithms_of_a_process_have_a_log_each(build, tmp_path):
    for name in ("first", "second"):
        build(log_dir=tmp_path, callbacks=(), log_settings={"env_name": name}).train()
        (folder,) = (tmp_path / f"{name}-none").iterdir()
        assert _epochs(folder) == ["0", "1"]


def test_a_training_that_goes_on_goes_on_in_its_log(build, tmp_path):
    class StopAtOnce(Callback):
        def on_iteration(self, algorithm, row):
            algorithm.stop_requested = True

    algorithm = build(log_dir=tmp_path, callbacks=[StopAtOnce()])
    algorithm.train()
    (folder,) = tmp_path.glob("*/*")
    assert _epochs(folder) == ["0"]
    algorithm.train()
    assert _epochs(folder) == ["0", "1"]
    assert len(list(tmp_path.glob("*/*"))) == 1


def test_a_folder_that_the_logger_has_is_taken(build, tmp_path):
    (tmp_path / "mine").mkdir()
    setup_logger(tmp_path / "mine", {})
    build(log_dir=tmp_path / "other", callbacks=()).train()
    assert _epochs(tmp_path / "mine") == ["0", "1"]
    assert not (tmp_path / "other").exists()
    assert logger.get_snapshot_dir() == str(tmp_path / "mine")


def test_without_callbacks_and_log_nothing_is_seen(build, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    build(callbacks=(), log_dir=None).train()
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.iterdir())


def test_callbacks_are_told_in_order(build):
    told = []

    class Told(Callback):
        def on_start(self, algorithm):
            told.append("start")

        def progress(self, items, phase):
            told.append(phase)
            return items

        def on_iteration(self, algorithm, row):
            told.append(row["Epoch"])

        def on_end(self, algorithm):
            told.append("end")

    build(callbacks=[Told()], log_dir=None).train()
    assert told == [
        "start",
        *("initial data", "collect", "update", 0),
        *("collect", "update", 1),
        "end",
    ]


def test_the_end_is_told_when_a_training_fails(build):
    told = []

    class Failing(Callback):
        def on_iteration(self, algorithm, row):
            raise RuntimeError("of the user's")

        def on_end(self, algorithm):
            told.append("end")

    with pytest.raises(RuntimeError, match="of the user's"):
        build(callbacks=[Failing()], log_dir=None).train()
    assert told == ["end"]


def test_what_watches_changes_no_number(build, tmp_path):
    rows = [[], []]
    build(on_epoch_end=rows[0].append, callbacks=(), log_dir=None).train()
    build(on_epoch_end=rows[1].append, log_dir=tmp_path).train()
    timeless = [[str({k: v for k, v in row.items() if "(s)" not in k}) for row in part] for part in rows]
    assert timeless[0] == timeless[1]


def test_a_relabeling_says_what_it_does(make_algorithm):
    algorithm = make_algorithm()
    relabeling = attach(algorithm, "hfr", relabel_fraction=0.25, num_initial_states=4, seed=0)
    text = repr(relabeling)
    assert text.startswith("<Relabeling by hfr(num_initial_states=4, ")
    assert "latent='mean'" in text
    assert "relabel_fraction=0.25, keep_original=False, on PEARLSoftActorCritic, 5 training tasks" in text
    assert text.endswith("0 of 0 paths of this iteration relabeled>")
    relabeling.detach()
    assert repr(relabeling).endswith("detached>")


def test_the_names_of_the_builtin_pearl_come_from_one_place():
    assert PEARLConfig.__module__ == "rlkit_hfr.pearl.config"
    with pytest.raises(ImportError, match="Nonsense"):
        from rlkit_hfr.pearl import Nonsense  # noqa: F401


@pytest.mark.parametrize("program", ["train --env point-robot", "compare --env point-robot", "watch --run x"])
def test_a_terminal_shows_something_before_torch_is_imported(program):
    code = f"""
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise KeyboardInterrupt
sys.meta_path.insert(0, NoTorch())
sys.stderr.isatty = lambda: True
from rlkit_hfr.cli import main
sys.exit(main({program.split()!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.splitlines()[0].startswith("Loading PyTorch and ")
    assert done.stderr.splitlines()[-1] == "Interrupted."
