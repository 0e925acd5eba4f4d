"""The tour of the Python API, its notebook and its launcher run as they stand."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from examples import launcher
from rlkit_hfr.pearl import PEARLSoftActorCritic

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "tour.ipynb"
SMALL = """
settings = dict(num_iterations=2, num_train_steps_per_itr=3, num_tasks_sample=2)
train_tasks, test_tasks = 5, 3
"""


def _cells() -> list[str]:
    """The code of the notebook, with small settings after those of the parameters cell."""
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    code = ["".join(cell["source"]) for cell in cells]
    places = [i for i, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", ())]
    assert places == [0]
    return [code[0] + SMALL, *code[1:]]


def test_the_notebooks_cells_run(tmp_path, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot", reason="the figures need matplotlib")
    plt.switch_backend("Agg")
    plt.close("all")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for cell in _cells():
        exec(compile(cell, str(NOTEBOOK), "exec"), names)
    assert len(plt.get_fignums()) == 3
    plt.close("all")
    logs = sorted(path.parent.name for path in (tmp_path / "output" / "tour").glob("*/*"))
    assert logs == ["sparse-point-robot-hfr", "sparse-point-robot-none"]
    assert names["decision"].probs.sum() == pytest.approx(1.0)


def test_the_notebook_runs_in_a_kernel(tmp_path):
    """What only a kernel shows: its format, and that each cell stands by itself."""
    nbclient = pytest.importorskip("nbclient", reason="pip install nbclient ipykernel")
    pytest.importorskip("ipykernel", reason="pip install nbclient ipykernel")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, source in zip(code, _cells(), strict=True):
        cell.source = source
    path = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    code[0].source = path + code[0].source
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    pictures = [output for cell in code for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3


def test_the_notebook_is_kept_without_outputs():
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_page_of_the_api_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api-tour.md").read_text(), re.DOTALL)
    names: dict = {}
    for block in blocks:
        exec(block, names)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("<Relabeling by hfr(")
    assert [line.split()[0] for line in shown[1:]] == ["Log:", "1/3", "2/3", "3/3"]
    row = {"SuccessRate_all_test_tasks": 0.95}
    algorithm: PEARLSoftActorCritic = names["algorithm"]
    for callback in algorithm.callbacks[1:]:
        callback.on_iteration(algorithm, row)
    assert algorithm.stop_requested
    assert (tmp_path / "output" / "mine" / "progress.jsonl").exists()


def test_the_launcher_trains(tmp_path, monkeypatch, capsys):
    small = dict(num_train_steps_per_itr=2, num_tasks_sample=2, num_steps_posterior=20, meta_batch=2)
    monkeypatch.setattr(launcher, "SETTINGS", {**launcher.SETTINGS, **small, "embedding_batch_size": 20})
    launcher.main(["--relabeler", "random", "--iterations", "1", "--seed", "3", "--log-dir", str(tmp_path)])
    (folder,) = (tmp_path / "sparse-point-robot-random").iterdir()
    with open(folder / "progress.csv", newline="") as file:
        assert [row["Epoch"] for row in csv.DictReader(file)] == ["0"]
    assert json.loads((folder / "variant.json").read_text())["seed"] == 3
    assert "<Relabeling by random(" in capsys.readouterr().out
