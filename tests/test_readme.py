"""The README's snippets run as they stand, and its commands name what exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from env_wrappers import ENVIRONMENTS
from rlkit_hfr import RELABELERS
from rlkit_hfr.experiments.commands.train import parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippets_run(make_algorithm, snippet):
    algorithm = make_algorithm("point-robot", num_iterations=1)
    exec(snippet, {"algorithm": algorithm, "goals": np.asarray(algorithm.env.tasks)})
    if "detach" not in snippet and "train" not in snippet:
        algorithm.train()


def test_there_is_a_snippet_for_each_job():
    assert len(SNIPPETS) >= 3


def _commands(text):
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [
        line.split("#")[0]
        for block in blocks
        for line in block.splitlines()
        if "launchers/pearl_hfr.py" in line
    ]


@pytest.mark.parametrize("command", _commands(README) + _commands((ROOT / "docs/attach.md").read_text()))
def test_commands_parse(command):
    words = shlex.split(command)
    arguments = parser().parse_args(words[words.index("launchers/pearl_hfr.py") + 1 :])
    assert arguments.env is None or arguments.env in ENVIRONMENTS
    assert arguments.relabeler is None or arguments.relabeler in RELABELERS


@pytest.mark.parametrize("name", [*ENVIRONMENTS, *RELABELERS])
def test_every_environment_and_relabeler_is_listed(name):
    assert f"`{name}`" in README


def test_links_lead_somewhere():
    for file in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "results").rglob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", file.read_text()):
            assert (file.parent / target).exists(), f"{file.relative_to(ROOT)} links to {target}"
