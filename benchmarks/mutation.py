"""Do the tests notice when the mathematics is wrong? ``python benchmarks/mutation.py --number
200 --seed 0``.

Each mutant is one small change of one module: another comparison, operator, number or
truth value, a negated condition, a statement left out, a mean made a sum. The tests that
run the changed lines run on it, the quickest first, in a process of their own, and stop at
the first that fails. The mutant is *killed* by a failure or by running out of time, and
else it *survives*. No file is edited: the changed module is compiled in memory. Which lines
a test runs is noted once, by a run of all of them.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TextIO

import pytest
from mutants import ROOT, TARGETS, Mutant, compiled, mutants

TESTS = (
    "tests/test_utility.py",
    "tests/test_distribution.py",
    "tests/relabelers",
    "tests/scoring",
    "tests/rewards",
    "tests/buffers",
    "tests/test_borders.py",
    "tests/test_registration.py",
    "tests/test_attach.py",
    "tests/test_precision.py",
    "tests/hosts/test_calling.py",
    "tests/hosts/test_conventions.py",
    "tests/hosts/test_families.py",
    "tests/hosts/test_half_precision.py",
    "tests/hosts/test_install.py",
    "tests/hosts/test_isolation.py",
    "tests/hosts/test_parts.py",
    "tests/hosts/test_probing.py",
    "tests/hosts/test_recording.py",
    "tests/hosts/test_refusals.py",
    "tests/hosts/test_soft_value.py",
    "tests/hosts/test_standins.py",
    "tests/hosts/test_wrappers.py",
    "tests/experiments/runs/test_checkpoint.py",
    "tests/experiments/runs/test_kills.py",
)


class _Changed(importlib.abc.MetaPathFinder):
    """Imports one module from given code instead of its file."""

    def __init__(self, mutant: Mutant) -> None:
        self._file, self._code = ROOT / mutant.file, compiled(mutant)
        self._name = mutant.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> Any:
        if fullname != self._name:
            return None
        code = self._code

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, fullname: str) -> CodeType:
                return code

        return importlib.util.spec_from_file_location(
            fullname, self._file, loader=Loader(fullname, str(self._file))
        )


@dataclass(frozen=True)
class Reach:
    """A test. seconds: of processor time; lines: of the targets that it runs, by file."""

    name: str
    seconds: float
    lines: dict[str, frozenset[int]]


class _Watch:
    """A plugin of pytest that notes which lines of the targets each test runs."""

    def __init__(self, to: TextIO) -> None:
        self._to, self._prefix = to, f"{ROOT}/"
        self._lines: dict[str, set[int]] = {}

    def _trace(self, frame: Any, event: str, argument: Any) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(self._prefix) or not file.removeprefix(self._prefix).startswith(TARGETS):
            return None
        noted = self._lines.setdefault(file.removeprefix(self._prefix), set())

        def line(frame: Any, event: str, argument: Any) -> Any:
            noted.add(frame.f_lineno)
            return line

        return line(frame, event, argument)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        started = time.process_time()
        self._lines = {}
        sys.settrace(self._trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            lines = {file: sorted(noted) for file, noted in self._lines.items()}
            test = dict(name=item.nodeid, seconds=time.process_time() - started, lines=lines)
            self._to.write(json.dumps(test) + "\n")
            self._to.flush()


class _InOrder:
    """A plugin of pytest that runs tests in a given order."""

    def __init__(self, names: Sequence[str]) -> None:
        self._place = {name: i for i, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: self._place[item.nodeid])


def reaches(file: Path) -> list[Reach]:
    """Which lines each test runs, from a file that is made if it is not there."""
    if not file.exists():
        partial = file.with_suffix(".tmp")
        code, _ = _in_a_child(lambda: _note_reaches(partial), None)
        if code != 0:
            raise SystemExit(f"the tests must pass before they can be tested; see {partial}")
        partial.rename(file)
    found = map(json.loads, file.read_text().splitlines())
    return [
        Reach(test["name"], test["seconds"], {f: frozenset(lines) for f, lines in test["lines"].items()})
        for test in found
    ]


def _note_reaches(file: Path) -> int:
    present = [name for name in TESTS if (ROOT / name).exists()]
    with open(file, "w") as opened:
        return int(pytest.main(["-q", "-p", "no:cacheprovider", *present], plugins=[_Watch(opened)]))


def tests_of(mutant: Mutant, known: Sequence[Reach]) -> list[Reach]:
    """The tests that run a mutant's lines, the quickest first. What is run at an import
    alone, such as a default, is for all tests of its file, and for those that run no
    line and may read a signature.
    """
    lines = set(range(mutant.line, mutant.end + 1))
    running = [test for test in known if lines & test.lines.get(mutant.file, frozenset())]
    touching = [test for test in known if mutant.file in test.lines or not any(test.lines.values())]
    return sorted(touching if mutant.at_import or not running else running, key=lambda test: test.seconds)


def outcome_of(mutant: Mutant, tests: Sequence[Reach], patience: float) -> str:
    """ "survived", "killed" or "out of time". patience: processor seconds, as a multiple of
    what the tests take.
    """
    names = [test.name for test in tests]
    if not names:
        return "survived"

    def work() -> int:
        sys.meta_path.insert(0, _Changed(mutant))
        return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *names], plugins=[_InOrder(names)]))

    code, number = _in_a_child(work, 30.0 + patience * sum(test.seconds for test in tests))
    if number == signal.SIGXCPU:
        return "out of time"
    return "survived" if code == 0 else "killed"


def _in_a_child(work: Callable[[], int], seconds: float | None) -> tuple[int, int]:
    """The exit code of work in a process of its own, and the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            if seconds is not None:
                limit = int(time.process_time() + seconds)
                resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
            code = work()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return max(code, 0), max(-code, 0)


def _import_what_stays() -> None:
    """What tests import and no mutant changes: it is shared by all processes."""
    import torch

    import env_wrappers  # noqa: F401

    torch.set_num_threads(1)
    ours = [name for name in sys.modules if name.split(".")[0] == "rlkit_hfr"]
    assert not ours, f"{ours} would be shared with the mutants"


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--number", type=int, default=200, help="mutants to draw (default: 200)")
    p.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")
    p.add_argument("--only", default="", metavar="TEXT", help="of files whose name has this")
    p.add_argument("--patience", type=float, default=10.0, help="how many times longer tests may take (10)")
    p.add_argument(
        "--reaches",
        type=Path,
        default=Path("output/reaches.jsonl"),
        metavar="FILE",
        help="where it is kept which lines each test runs (default: output/reaches.jsonl)",
    )
    p.add_argument("--list", action="store_true", help="show the mutants and stop")
    args = p.parse_args()
    known = [mutant for mutant in mutants() if args.only in mutant.file]
    drawn = random.Random(args.seed).sample(known, min(args.number, len(known)))
    print(f"{len(drawn)} of {len(known)} mutants", flush=True)
    if args.list:
        for mutant in drawn:
            print(f"{mutant.file}:{mutant.line}: {mutant.change}")
        return 0
    file = args.reaches.absolute()
    file.parent.mkdir(parents=True, exist_ok=True)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    _import_what_stays()
    tests = reaches(file)
    outcomes: dict[Mutant, str] = {}
    for mutant in drawn:
        outcomes[mutant] = outcome_of(mutant, tests_of(mutant, tests), args.patience)
        print(f"{outcomes[mutant]:<12}{mutant.file}:{mutant.line}: {mutant.change}", flush=True)
    killed = sum(outcome != "survived" for outcome in outcomes.values())
    late = sum(outcome == "out of time" for outcome in outcomes.values())
    print(f"score: {killed} of {len(drawn)} killed, {killed / len(drawn):.1%}; {late} by the time limit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
