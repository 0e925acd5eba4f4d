"""The plugin's files keep to Python 3.8, which ruff is told of as well."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEWER = ("experiments", "mier", "pearl")  # folders of the package that run on Python 3.10 and newer alone
PLUGIN = [
    file
    for file in sorted((ROOT / "rlkit_hfr").rglob("*.py"))
    if file.relative_to(ROOT / "rlkit_hfr").parts[0] not in NEWER
]

# Imports every module of the plugin beside a numpy and a torch of which every attribute is a class.
IMPORT_ALL = """
import importlib, sys, types
class Meta(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything
class Anything(metaclass=Meta):
    def __new__(cls, *args, **options):
        return object.__new__(cls)
    def __call__(self, function):
        return function
class Module(types.ModuleType):
    __path__ = []
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything
for name in ("numpy", "torch", "torch.nn", "torch.nn.functional"):
    sys.modules[name] = Module(name)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(len(sys.argv) - 1)
"""


def _module(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("file", PLUGIN, ids=_module)
def test_the_plugin_keeps_to_the_grammar_of_3_8(file):
    ast.parse(file.read_text(), feature_version=(3, 8))


# What Python 3.8 or torch 1.8 lack and neither ruff nor an import notices: keywords and attributes.
NEWER_KEYWORDS = {"strict", "kw_only", "slots", "correction"}
NEWER_NAMES = {"removeprefix", "removesuffix", "pairwise", "is_relative_to", "special", "inference_mode"}


@pytest.mark.parametrize("file", PLUGIN, ids=_module)
def test_the_plugin_uses_no_newer_name(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            found = NEWER_KEYWORDS & {keyword.arg for keyword in node.keywords}
        else:
            found = NEWER_NAMES & {node.attr} if isinstance(node, ast.Attribute) else set()
        assert not found, (
            f"line {node.lineno} uses {found.pop()}, which is newer than Python 3.8 or torch 1.8"
        )


def _old_interpreter() -> str | None:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(pyenv.glob("versions/3.8.*/bin/python"))
    return str(found[-1]) if found else shutil.which("python3.8")


@pytest.mark.skipif(_old_interpreter() is None, reason="there is no Python 3.8 here")
def test_the_plugin_is_imported_by_python_3_8():
    names = [_module(file) for file in PLUGIN if file.stem not in ("__init__", "__main__")]
    assert len(names) > 40
    command = [str(_old_interpreter()), "-c", IMPORT_ALL, *names]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(len(names))]


def test_ruff_knows_the_tests_that_run_on_3_8():
    listed = (ROOT / "noxfile.py").read_text().split("PLUGIN_TESTS = [")[1].split("]")[0]
    names = re.findall(r'"(tests/[^"]*)"', listed)
    assert len(names) > 5
    settings = (ROOT / "pyproject.toml").read_text()
    table = settings.split("[tool.ruff.per-file-target-version]")[1].split("[tool.")[0]
    old = [line for line in table.splitlines() if line.endswith('"py38"')]
    for name in names:
        folder, file = name.rpartition("/")[::2]
        known = [line for line in old if line.startswith(f'"{folder}/')]
        stems = [file[: -len(".py")], file[len("test_") : -len(".py")]]
        assert any("**" in line or any(stem in line for stem in stems) for line in known), name


def test_the_tests_of_the_plugin_need_what_it_needs_alone():
    listed = (ROOT / "noxfile.py").read_text().split("PLUGIN_TESTS = [")[1].split("]")[0]
    newer = r"make_algorithm|env_wrappers|rlkit_hfr\.(?:experiments|mier|pearl)|torch\.testing\.assert_close"
    for name in re.findall(r'"(tests/[^"]*)"', listed):
        assert re.findall(newer, (ROOT / name).read_text()) == [], name
