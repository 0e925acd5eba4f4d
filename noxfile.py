"""The plugin on the interpreters that this machine has: ``pip install nox && nox``.

nox and not tox: which interpreters there are, and which torch goes with which, is a few
lines of Python here, and a machine without a session's interpreter skips it by itself.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
PYTHONS = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]
OLDEST = ["torch==1.8.1", "numpy==1.19.5"]
NEWEST = ["torch", "numpy"]
# Those that need the plugin, numpy, torch and pytest alone; pyproject.toml has the same list.
PLUGIN_TESTS = [
    "tests/buffers/test_clone.py",
    "tests/buffers/test_ledger.py",
    "tests/buffers/test_router.py",
    "tests/buffers/test_statistics.py",
    "tests/buffers/test_transition_infos.py",
    "tests/hosts/test_calling.py",
    "tests/hosts/test_conventions.py",
    "tests/hosts/test_families.py",
    "tests/hosts/test_install.py",
    "tests/hosts/test_isolation.py",
    "tests/hosts/test_parts.py",
    "tests/hosts/test_probing.py",
    "tests/hosts/test_recording.py",
    "tests/hosts/test_refusals.py",
    "tests/hosts/test_soft_value.py",
    "tests/hosts/test_standins.py",
    "tests/hosts/test_wrappers.py",
    "tests/relabelers/test_generalized_hindsight.py",
    "tests/relabelers/test_hipi_trajectory.py",
    "tests/relabelers/test_normalisers.py",
    "tests/rewards/test_recording.py",
    "tests/test_checks.py",
    "tests/test_distribution.py",
    "tests/test_paths.py",
    "tests/test_placeholders.py",
    "tests/test_references.py",
    "tests/test_state.py",
    "tests/test_utility.py",
]
HOSTS = {"oyster": "OYSTER_PATH", "rlkit": "RLKIT_PATH"}
HOST_PACKAGES = ["gym==0.10.5", "gtimer==1.0.0b5", "python-dateutil", "joblib", "click"]

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["plugin", "hosts"]
# pyenv's interpreters, before its shims, which answer for versions that are not chosen
found = [str(folder / "bin") for version in PYTHONS for folder in sorted(PYENV.glob(f"{version}.*"))]
os.environ["PATH"] = os.pathsep.join([*found, os.environ.get("PATH", "")])


@nox.session(python=PYTHONS)
def plugin(session: nox.Session) -> None:
    """The plugin's tests with stand-in hosts; Python 3.8 gets the oldest torch and numpy."""
    session.install(*(OLDEST if session.python == "3.8" else NEWEST), "pytest")
    session.install("--no-deps", ".")
    session.run("python", "-m", "pytest", *(session.posargs or PLUGIN_TESTS), env={"OMP_NUM_THREADS": "1"})


@nox.session(python="3.8")
def hosts(session: nox.Session) -> None:
    """The real oyster and rlkit, from OYSTER_PATH and RLKIT_PATH, trained in an environment of their time."""
    paths = {host: os.environ[variable] for host, variable in HOSTS.items() if os.environ.get(variable)}
    if not paths:
        session.skip("OYSTER_PATH and RLKIT_PATH name no clones")
    session.install(*OLDEST, *HOST_PACKAGES)
    session.install("--no-deps", ".")
    for host, path in paths.items():
        for relabeler in session.posargs or ["hfr", "hipi", "air"]:
            session.run("python", "tests/hosts/bare_host.py", host, path, relabeler)
