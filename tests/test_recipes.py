"""Every recipe of CONTRIBUTING.md works as it is written, in the files that it counts."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from examples.temperature_schedule import CoolingHFR
from examples.uniform_over_top_3 import UniformOverTop3
from rlkit_hfr import RELABELERS, attach
from rlkit_hfr.hosts.families import HOSTS
from rlkit_hfr.scoring.scorer import Scorer

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES = dict(re.findall(r"^## Recipe: an? (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE))


def _blocks(recipe: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", RECIPES[recipe], re.DOTALL)


def _files(recipe: str, verb: str) -> tuple[int, list[str]]:
    number, names = re.search(rf"^{verb} (\d+):(.*)$", RECIPES[recipe], re.MULTILINE).groups()
    return int(number), re.findall(r"`(.*?)`", names)


def _edited(recipe: str) -> dict[str, list[tuple[str, str]]]:
    """By file, what each hunk of the recipe's diffs replaces by what."""
    edits: dict[str, list[tuple[str, str]]] = {}
    for block in _blocks(recipe, "diff"):
        head, *hunks = re.split(r"^---(?: |\n)", block, flags=re.MULTILINE)[1:]
        name, _, first = head.partition("\n")
        for hunk in (first, *hunks):
            lines = hunk.splitlines()
            sides = ("".join(line[1:] + "\n" for line in lines if line[:1] in f" {sign}") for sign in "-+")
            edits.setdefault(name, []).append(tuple(sides))
    return edits


@pytest.fixture
def clone(tmp_path):
    """A copy of the packages, with the edits of a recipe."""

    def build(recipe: str) -> Path:
        for name in ("rlkit_hfr", "env_wrappers", "examples", "docs"):
            shutil.copytree(
                ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.png")
            )
        for name, hunks in _edited(recipe).items():
            text = (tmp_path / name).read_text()
            for before, after in hunks:
                assert text.count(before) == 1, f"{name} does not have once:\n{before}"
                text = text.replace(before, after)
            (tmp_path / name).write_text(text)
        return tmp_path

    return build


def _run(command: list[str], where: Path, path: Path | None) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True)


def _column(folder: Path, name: str) -> list[float]:
    (file,) = folder.rglob("progress.csv")
    return [float(row[name]) for row in csv.DictReader(file.open())]


def test_there_are_five_recipes_and_each_counts_its_files():
    assert list(RECIPES) == ["relabeler", "task family", "log column", "setting", "host"]
    for recipe in RECIPES:
        for verb in ("Opens", "Edits", "Writes"):
            number, names = _files(recipe, verb)
            assert number == len(names) or (recipe, verb) == ("host", "Writes")
            assert all((ROOT / name).is_file() for name in names)
        assert sorted(_edited(recipe)) == sorted(_files(recipe, "Edits")[1])
    for recipe in ("relabeler", "task family"):
        assert _files(recipe, "Opens")[0] <= 4
        assert _files(recipe, "Edits")[0] + _files(recipe, "Writes")[0] == 1


def test_what_recipes_show_of_the_examples_is_in_them():
    shown = [*_blocks("relabeler", "python"), _blocks("task family", "python")[0]]
    sources = "\n".join(file.read_text() for file in (ROOT / "examples").glob("*.py"))
    for block in shown:
        assert block.partition("class ")[2].strip() in sources
        assert block.strip().splitlines()[-1] in sources


COMMANDS = [line for recipe in RECIPES for block in _blocks(recipe, "bash") for line in block.splitlines()]


@pytest.mark.parametrize("command", COMMANDS, ids=range(len(COMMANDS)))
def test_the_commands_run(tmp_path, command):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "rlkit_hfr"]
    run = _run([sys.executable, *words[1:]], tmp_path, ROOT)
    assert run.returncode == 0, run.stdout + run.stderr
    assert list((tmp_path / "output").rglob("progress.csv")) or "show-env" in words


def test_the_checkers_example_prints_what_it_checked(capsys):
    exec(_blocks("task family", "python")[1], {})
    assert "round trip" in capsys.readouterr().out


def test_a_file_of_ones_own_serves_every_command_from_its_folder(tmp_path):
    """Without an installation and without PYTHONPATH, by way of a clone's launchers."""
    for name, file in (("my_chain", "chain"), ("my_method", "temperature_schedule")):
        (tmp_path / f"{name}.py").write_text((ROOT / "examples" / f"{file}.py").read_text())

    def launch(launcher: str, *words: str, where: Path = tmp_path) -> subprocess.CompletedProcess:
        return _run([sys.executable, str(ROOT / "launchers" / launcher), *words], where, None)

    names = ["--env", "my_chain:Chain", "--relabeler", "my_method:CoolingHFR"]
    small = ["--set", "num_iterations=1", "--set", "half_life=1"]
    run = launch("pearl_hfr.py", *names, *small, "--log-dir", "runs", "--keep-checkpoint")
    assert run.returncode == 0, run.stderr
    (variant,) = (tmp_path / "runs").rglob("variant.json")
    recorded = json.loads(variant.read_text())
    assert (recorded["env_name"], recorded["relabeler"]) == ("my_chain:Chain", "my_method:CoolingHFR")
    assert recorded["relabel_params"]["half_life"] == 1
    folder = variant.parent
    assert ":" not in str(folder)

    again = launch("pearl_hfr.py", "--resume", str(folder), "--keep-checkpoint")
    assert again.returncode == 0, again.stderr
    elsewhere = launch("pearl_hfr.py", "--resume", str(folder), "--keep-checkpoint", where=ROOT)
    assert elsewhere.returncode == 2
    assert re.fullmatch(
        r"error: .*can't import the module 'my_\w+' .*start from the folder.*\n", elsewhere.stderr
    )
    watched = launch("watch.py", "--run", str(folder))
    assert watched.returncode == 0, watched.stderr
    assert (folder / "adaptation.png").is_file()
    shown = launch("show_env.py", "--env", "my_chain:Chain", "--out", "pictures")
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "pictures" / "my_chain-Chain.png").is_file()
    grid = ["--env", "my_chain:Chain", "--relabelers", "none", "my_method:CoolingHFR", "--seeds", "1"]
    axes = ["--set", "num_iterations=1", "--set", "half_life=1,2"]
    compared = launch("compare.py", *grid, *axes, "--log-dir", "sweep")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    sweep = tmp_path / "sweep"
    found = {str(file.parent.relative_to(sweep)) for file in sweep.rglob("progress.csv")}
    method = "my_chain-Chain/my_method-CoolingHFR"
    assert found == {"my_chain-Chain/none/s-0", f"{method},half_life=1/s-0", f"{method},half_life=2/s-0"}


def test_uniform_over_top_3_is():
    utilities = torch.tensor([[5.0, 1.0, 4.0, 3.0], [0.0, 9.0, 1.0, 2.0]])
    found = UniformOverTop3(num_initial_states=2).distribution(utilities, torch.tensor([0.0, 0.0, 9.0, 0.0]))
    third = 1 / 3
    assert np.allclose(found, [[third, third, 0, third], [third, third, 0, third]])
    assert np.allclose(UniformOverTop3().distribution(utilities[:, :2], None), 0.5)


def test_the_schedule_cools_while_training(make_algorithm):
    algorithm = make_algorithm(num_iterations=3)
    relabeling = attach(algorithm, CoolingHFR, temperature=8.0, half_life=1, num_initial_states=4, seed=0)
    algorithm.train()
    assert relabeling.relabeler.temperature < 8.0
    relabeling.relabeler.begin_iteration(3)
    assert relabeling.relabeler.temperature == 2.0


def test_the_column_is_logged(clone):
    where = clone("log column")
    assert "relabel/largest probability" in (where / "docs" / "log-columns.md").read_text()
    words = ["--env", "examples.chain:Chain", "--relabeler", "random", "--set", "num_iterations=1"]
    run = _run([sys.executable, "-m", "rlkit_hfr", "train", *words], where, where)
    assert run.returncode == 0, run.stderr
    assert _column(where / "output", "relabel/largest probability") == pytest.approx([1 / 8])


def test_the_setting_is_one(clone):
    where = clone("setting")
    words = ["--env", "examples.chain:Chain", "--set", "qf_weight_decay=0.25", "--dry-run"]
    run = _run([sys.executable, "-m", "rlkit_hfr", "train", *words], where, where)
    assert json.loads(run.stdout)["algo_params"]["qf_weight_decay"] == 0.25
    code = """
import torch
from rlkit_hfr.experiments.runs.build import build_algorithm
from rlkit_hfr.experiments.settings.variant import build_variant
variant = build_variant("examples.chain:Chain", "none", None, None, ["qf_weight_decay=0.25"], 0)
algorithm = build_algorithm(variant, torch.device("cpu"))
print(algorithm.qf_optimizer.defaults["weight_decay"], algorithm.vf_optimizer.defaults["weight_decay"])
"""
    assert _run([sys.executable, "-c", code], where, where).stdout == "0.25 0\n"


def test_the_host_is_served(make_algorithm):
    algorithm = make_algorithm(num_iterations=1)
    parts = ("qf1", "qf2", "vf", "target_vf")
    algorithm.learner = SimpleNamespace(
        **{name: getattr(algorithm, name) for name in parts}, reward_scale=5.0, discount=0.9
    )
    known = dict(HOSTS)
    try:
        scope = {"algorithm": algorithm}
        exec(_blocks("host", "python")[0], scope)
        assert scope["relabeling"].scorer.networks.discount == 0.9 != algorithm.config.discount
        algorithm.train()
    finally:
        HOSTS.clear()
        HOSTS.update(known)
    assert scope["relabeling"].statistics["relabel/paths relabeled"] > 0


def test_the_examples_of_the_page_on_relabelers_run(make_algorithm):
    text = (ROOT / "docs" / "relabelers.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        algorithm = make_algorithm(num_iterations=1)
        scope = {"attach": attach, "algorithm": algorithm, "goals": algorithm.env.tasks}
        try:
            exec(block, scope)
            if "relabeling" not in scope:
                scope["relabeling"] = attach(algorithm, "best-of-two", discount=0.99)
            algorithm.train()
        finally:
            RELABELERS.pop("best-of-two", None)
        assert scope["relabeling"].statistics["relabel/paths relabeled"] > 0


def test_the_questions_that_the_docs_list_exist():
    text = (ROOT / "docs" / "relabelers.md").read_text().partition("| question |")[2].partition("\n\n")[0]
    names = re.findall(r"`(\w+)(?=[(`])", text.replace("`needs_goals", "").replace("`needs_value", ""))
    assert len(names) > 10
    assert set(names) <= {*dir(Scorer), "candidate_tasks", "compute", "value"}


def test_the_map_of_rooms_is_complete():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {str(file.parent.relative_to(ROOT)) for file in ROOT.glob("rlkit_hfr/**/__init__.py")}
    for room in rooms - {"rlkit_hfr", "rlkit_hfr/experiments"}:
        assert f"| `{room}/` |" in text
    for file in (ROOT / "docs").glob("*.md"):
        assert f"({file.name})" in (ROOT / "docs" / "README.md").read_text() or file.name == "README.md"
