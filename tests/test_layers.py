"""Arrows between packages point down, and plain use of the plugin needs numpy and torch
alone.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# From top to bottom; a module may import from its own layer and from those below.
LAYERS = [
    ("launchers",),
    ("rlkit_hfr.__main__",),
    ("rlkit_hfr.cli",),
    ("rlkit_hfr.experiments.commands",),
    ("rlkit_hfr.experiments.cloning",),
    ("rlkit_hfr.experiments.sweeps", "rlkit_hfr.experiments.analysis", "rlkit_hfr.experiments.pictures"),
    ("rlkit_hfr.experiments.runs",),
    ("rlkit_hfr.experiments.settings",),
    ("rlkit_hfr.experiments",),
    ("rlkit_hfr.attach",),
    ("rlkit_hfr.hosts",),
    ("rlkit_hfr.buffers",),
    ("rlkit_hfr.relabelers",),
    ("rlkit_hfr.scoring",),
    ("rlkit_hfr.rewards",),
    ("rlkit_hfr.mier",),
    ("rlkit_hfr.pearl",),
    (
        "rlkit_hfr.utility",
        "rlkit_hfr.distribution",
        "rlkit_hfr.gaussians",
        "rlkit_hfr.checks",
        "rlkit_hfr.paths",
        "rlkit_hfr.protocols",
        "rlkit_hfr.placeholders",
        "rlkit_hfr.replay_buffer",
        "rlkit_hfr.context_model",
        "rlkit_hfr.state",
        "rlkit_hfr.references",
        "rlkit_hfr.precision",
        "rlkit_hfr.files",
        "rlkit_hfr.signals",
        "rlkit_hfr._version",
    ),
    ("env_wrappers",),
]
FRONT_DOOR = LAYERS.index(("rlkit_hfr.attach",))  # the package itself stands with `attach`


def _layer(module: str) -> int | None:
    if module == "rlkit_hfr":
        return FRONT_DOOR
    for depth, names in enumerate(LAYERS):
        if any(module == name or module.startswith(name + ".") for name in names):
            return depth
    return None


def _imports(file: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return names


def test_imports_point_down():
    files = [
        file
        for folder in ("launchers", "rlkit_hfr", "env_wrappers")
        for file in (ROOT / folder).rglob("*.py")
    ]
    assert len(files) > 30
    for file in files:
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        own = _layer(module)
        assert own is not None, f"{module} is in no layer"
        for name in _imports(file):
            target = _layer(name)
            assert target is None or target >= own, f"{module} imports {name}, which stands above it"
            assert not name.startswith("rlkit."), f"{module} imports the host {name}"
            if module.startswith("env_wrappers"):
                assert not name.startswith("rlkit_hfr"), f"{module} imports {name}"


def test_the_plugin_needs_numpy_and_torch_alone():
    code = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        extras = 'gym gymnasium gtimer mujoco metaworld dateutil tqdm matplotlib rlkit env_wrappers'
        if name.split('.')[0] in extras.split():
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
import rlkit_hfr
print(sorted(rlkit_hfr.RELABELERS))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "hfr" in result.stdout


# Interfaces, thin commands and drawing, which compute nothing; and one whose tests stand with MIER's.
WITHOUT_NAMESAKES = {
    "env_wrappers/silent_gym.py",
    "rlkit_hfr/_version.py",
    "rlkit_hfr/protocols.py",
    "rlkit_hfr/hosts/errors.py",
    "rlkit_hfr/scoring/host_view.py",
    "rlkit_hfr/experiments/programs.py",
    "rlkit_hfr/experiments/pictures/headless.py",
    "rlkit_hfr/experiments/runs/extrapolation.py",
    *(f"rlkit_hfr/experiments/analysis/{name}.py" for name in ("drawing", "looks", "notices")),
    *(f"rlkit_hfr/experiments/analysis/{name}_figure.py" for name in ("relabeling", "score")),
    *(
        f"rlkit_hfr/experiments/commands/{name}.py"
        for name in ("compare", "extrapolate", "four_corners", "outcome", "plot", "show_env", "watch")
    ),
}


def test_every_module_that_computes_has_its_tests_in_a_file_of_its_name():
    without = set()
    for package, tests in (("rlkit_hfr", "tests"), ("env_wrappers", "tests/env_wrappers")):
        for module in (ROOT / package).rglob("*.py"):
            within = module.relative_to(ROOT / package)
            if within.name.startswith("__"):
                continue
            if not (ROOT / tests / within.parent / f"test_{within.name}").exists():
                without.add(module.relative_to(ROOT).as_posix())
    assert without == WITHOUT_NAMESAKES
