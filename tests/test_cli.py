"""The command that has all programs: it answers before torch is imported, and every way
to start it works.
"""

from __future__ import annotations

import configparser
import io
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from rlkit_hfr import __version__
from rlkit_hfr.cli import EXTRAS, main
from rlkit_hfr.experiments.commands import plot
from rlkit_hfr.experiments.programs import PROGRAMS, command
from rlkit_hfr.experiments.sweeps.executors import let_children_import

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "matplotlib", "pandas", "mujoco", "rich")


def _python(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("program", ["", *PROGRAMS])
def test_help_imports_nothing_heavy(program):
    arguments = [*([program] if program else []), "--help"]
    code = f"""
import sys
from rlkit_hfr.cli import main
try:
    main({arguments})
except SystemExit as end:
    print(end.code, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    run = _python("-c", code)
    assert run.stderr == "0 []\n"
    assert "usage: rlkit-hfr" in run.stdout
    assert all(name in run.stdout for name in ([] if program else PROGRAMS))


def test_the_version_is_said():
    assert _python("-m", "rlkit_hfr", "--version").stdout == f"rlkit-hfr {__version__}\n"


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_typed_can_not_break_the_line_or_command_the_terminal(program, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([program, "--run", "x", "--env", "x", "--no\x1e\x1b[31m\x85such\u2028thing"])
    *usage, last = capsys.readouterr().err.splitlines()
    assert "error: " in last
    assert last.endswith("--no \\x1b[31m such thing")
    assert all(line.startswith(("usage: ", " ")) for line in usage)


def test_an_unknown_program_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit) as end:
        main(["trian"])
    assert end.value.code == 2
    assert "train" in capsys.readouterr().err


def test_every_launcher_starts_its_program_and_none_is_missing():
    files = {file.name for file in (ROOT / "launchers").glob("*.py")}
    assert files == {program.launcher for program in PROGRAMS.values()}
    for name, program in PROGRAMS.items():
        text = (ROOT / "launchers" / program.launcher).read_text()
        assert f'main(["{name}", *sys.argv[1:]])' in text
        assert len(text.splitlines()) <= 14
        assert callable(import_module(program.module).main)


def test_a_launcher_runs_from_anywhere_without_an_installation(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    launcher = str(ROOT / "launchers" / "show_env.py")
    run = subprocess.run([sys.executable, launcher, "--env", "point-robt"], cwd=tmp_path, env=environment,
                         capture_output=True, text=True)  # fmt: skip
    assert run.returncode == 2
    assert "did you mean 'point-robot'" in run.stderr


@pytest.mark.parametrize(("started", "expected"), [
    ("/usr/bin/rlkit-hfr", "rlkit-hfr plot"),
    ("launchers/compare.py", "python launchers/plot.py"),
    ("/else where/launchers/pearl_hfr.py", "python '/else where/launchers/plot.py'"),
    ("/mine/compare.py", "rlkit-hfr plot"),
    (str(ROOT / "rlkit_hfr" / "__main__.py"), "python -m rlkit_hfr plot"),
    ("/site-packages/pytest/__main__.py", "rlkit-hfr plot"),
])  # fmt: skip
def test_hints_are_commands_that_work_where_the_program_was_started(monkeypatch, started, expected):
    monkeypatch.setattr(sys, "argv", [started, "--env", "point-robot"])
    assert command("plot") == expected


def test_processes_of_a_comparison_find_the_packages_of_the_clone(monkeypatch):
    for before, after in ((None, str(ROOT)), ("/mine", f"{ROOT}{os.pathsep}/mine"), (str(ROOT), str(ROOT))):
        (
            monkeypatch.delenv("PYTHONPATH", raising=False)
            if before is None
            else monkeypatch.setenv("PYTHONPATH", before)
        )
        let_children_import()
        assert os.environ["PYTHONPATH"] == after


def test_only_the_two_packages_are_installed_and_the_command_with_them():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["options.packages.find"]["include"].split() == ["rlkit_hfr*", "env_wrappers*"]
    assert (
        config["options.entry_points"]["console_scripts"].split("=", 1)[1].strip()
        == "rlkit_hfr.__main__:main"
    )


def _requirements(text: str) -> set[str]:
    return {re.split(r"[<>=]", line)[0] for line in text.split("\n") if line and not line.startswith("%")}


def test_the_plugin_requires_numpy_and_torch_alone_and_extras_bring_the_rest():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    assert _requirements(config["options"]["install_requires"]) == {"numpy", "torch"}
    brought = {name for part in ("pearl", "envs", "plots") for name in _requirements(extras[part])}
    assert {name.replace("python-", "") for name in brought} - {"numpy", "torch"} == EXTRAS
    assert _requirements(extras["all"]) == brought | _requirements(extras["hosts"])
    typed = config["options.package_data"]
    assert all("py.typed" in typed[name] for name in ("rlkit_hfr", "env_wrappers"))


def test_a_program_whose_packages_are_missing_says_what_to_install():
    code = """
import sys
sys.modules["gym"] = None
from rlkit_hfr.cli import main
sys.exit(main(["show-env", "--env", "point-robot"]))
"""
    run = _python("-c", code)
    message = "rlkit-hfr: gym is not installed; run: pip install 'rlkit-hfr[all]'\n"
    assert (run.returncode, run.stderr) == (2, message)


def test_an_older_python_is_told_what_the_commands_need(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 8, 18))
    assert main(["train", "--env", "point-robot"]) == 2
    assert "need 3.10 or newer" in capsys.readouterr().err


def test_the_description_of_the_package_needs_no_other_file():
    text = (ROOT / "docs" / "package.md").read_text()
    assert "![" not in text
    assert all(target.startswith("https://") for target in re.findall(r"\]\(([^)]*)\)", text))


def test_gym_is_imported_in_silence_and_its_notices_stay():
    code = """
import env_wrappers
from gym_notices import notices
assert notices.__file__ and notices.notices
"""
    run = _python("-c", code)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_public_names_come_on_first_use_and_a_module_does_not_hide_one():
    code = """
import sys, types, rlkit_hfr
assert "torch" not in sys.modules
function = rlkit_hfr.attach
assert set(rlkit_hfr.__all__) <= set(dir(rlkit_hfr))
module = types.ModuleType("rlkit_hfr.attach")
module.attach = function
rlkit_hfr.attach = module  # what Python does when it has imported a module of that name
assert rlkit_hfr.attach is function
try:
    rlkit_hfr.atach
except AttributeError as error:
    print(error)
"""
    assert _python("-c", code).stdout == "module 'rlkit_hfr' has no attribute 'atach'\n"


@pytest.mark.parametrize(("program", "module", "arguments"), [
    ("train", "rlkit_hfr.experiments.runs", ["--env", "point-robot"]),
    ("compare", "rlkit_hfr.experiments.sweeps", ["--env", "point-robot"]),
    ("plot", "rlkit_hfr.experiments.analysis", ["runs"]),
    ("watch", "rlkit_hfr.experiments.pictures", ["--run", "run"]),
    ("show-env", "rlkit_hfr.experiments.pictures", ["--env", "point-robot"]),
    ("four-corners", "rlkit_hfr.experiments.pictures", []),
])  # fmt: skip
@pytest.mark.parametrize("watched", [True, False])
def test_something_is_said_before_anything_heavy_is_imported(
    monkeypatch, capsys, program, module, arguments, watched
):
    for name in [name for name in sys.modules if name.startswith(module)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(module.rpartition(".")[0] + "." + module.rpartition(".")[2], raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: watched)
    try:
        code = import_module(PROGRAMS[program].module).main(arguments)
    except ImportError:
        code = None
    assert code != 0
    assert capsys.readouterr().err.startswith("Loading ") == watched


def test_a_name_that_the_terminal_has_no_letters_for_is_no_error(monkeypatch):
    said = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", said)
    monkeypatch.setattr(plot, "main", lambda arguments: print("Log: caf\u00e9\udc80") or 0)
    assert main(["plot"]) == 0
    assert said.buffer.getvalue() == b"Log: caf\\xe9\\udc80\n"
