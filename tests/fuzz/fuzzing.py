"""How a program is fed with anything, and what must hold of it whatever it was fed."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from tiny_runs import RUN

from rlkit_hfr import cli
from rlkit_hfr.pearl.logger import logger

FACTOR = float(os.environ.get("FUZZ_FACTOR", "1"))

TINY = {
    **RUN,
    "num_iterations": 3,
    "num_train_steps_per_itr": 2,
    "num_initial_states": 4,
    "max_path_length": 10,
}
ODD_TEXTS = [
    *("", " ", "-", "--", "=", ",", "a,b", "../x", "/", ".", "..", "~", "a" * 300, "nan", "inf", "1e400"),
    *("True", "null", "1_0", "0x10", "\uff11", "\udc80", "\n", "a\nb", "\x1b[31m", "\0", "$(x)", "{", "[1]"),
    *("os:system", "examples.chain:Chain", ":", "a:b:c", "hfr", "none", "point-robot", "é", "<script>"),
]
texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=12))
# Whole numbers that are built in no time, or refused: those between are allowed and slow.
whole = st.one_of(st.integers(-3, 20), st.sampled_from([10**9, 2**31, 2**63, 10**25, 10**400, -(10**12)]))
numbers = st.one_of(
    whole, st.booleans(), st.floats(), st.sampled_from([0.5, 1.0, 1e-300, 1e300, -0.0, 1e12, 1e13])
)
plain = st.one_of(st.none(), numbers, texts)
values = st.recursive(
    plain,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)


def examples(number: int) -> Callable[[Any], Any]:
    """So many inputs, times FUZZ_FACTOR; the same ones each time, unless a seed is given to
    pytest by --hypothesis-seed.
    """
    return settings(
        max_examples=max(1, round(number * FACTOR)),
        derandomize=FACTOR == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


def tried(
    call: Callable[[], Any], refusals: type[Exception] | tuple[type[Exception], ...] = ValueError
) -> tuple[Any, Exception | None]:
    """What a call returned, and None; or None, and what it was refused with."""
    try:
        return call(), None
    except refusals as error:
        return None, error


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def contents(folder: Path) -> dict[str, Any]:
    """What lies below a folder: the bytes of files, the targets of links, None of others."""
    found: dict[str, Any] = {}
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            key = str(path.relative_to(folder))
            if path.is_symlink():
                found[key] = os.readlink(path)
            else:
                found[key] = path.read_bytes() if path.is_file() else None
    return found


@contextlib.contextmanager
def world() -> Iterator[Path]:
    """An empty folder that is also the current one."""
    before = os.getcwd()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        os.chdir(folder)
        yield folder
    finally:
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)


def run(program: str, arguments: list[str], may_fail: bool = False) -> Outcome:
    """Run a program, in this process. What it says is that of a terminal in UTF-8.

    may_fail: whether it is one that can say that it could not go on, with exit code 1.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors=e) for e in ("strict", "backslashreplace"))
    logger.reset()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code: Any = cli.main([program, *arguments])
        except SystemExit as ended:  # argparse
            code = ended.code
    logger.reset()
    said = []
    for stream in (out, err):
        stream.flush()
        said.append(stream.buffer.getvalue().decode("utf-8", "surrogateescape"))  # type: ignore[attr-defined]
    outcome = Outcome(code, *said)
    _check(outcome, may_fail)
    return outcome


def _check(outcome: Outcome, may_fail: bool) -> None:
    code, err = outcome.code, outcome.err
    assert code in ((0, 1, 2) if may_fail else (0, 2)), (code, err)
    assert "Traceback" not in err, err
    if code == 2:
        *usage, last = err.splitlines()
        if not usage:
            assert last.startswith("error: "), err
        else:  # argparse says how it is used before the one line
            assert usage[0].startswith("usage: ") and ": error: " in last, err
        assert len(last) < 2000, err


def run_in(
    folder: Path, program: str, arguments: list[str], writes: str | None = None, may_fail: bool = False
) -> Outcome:
    """Run a program and check that it leaves nothing behind when it refuses, and that it
    writes below `writes` alone, relative to the folder, when it does not.
    """
    before = contents(folder)
    outcome = run(program, arguments, may_fail)
    after = contents(folder)
    if outcome.code == 2:
        assert after == before, set(before) ^ set(after)
    changed = {name for name in {*before, *after} if before.get(name, 0) != after.get(name, 0)}
    allowed = () if writes is None else (writes,)
    for name in changed:
        above = writes is not None and f"{writes}/".startswith(f"{name}/")
        assert above or any(f"{name}/".startswith(f"{place}/") for place in allowed), sorted(changed)
    return outcome


def place_for(option: str) -> st.SearchStrategy[list[str]]:
    return texts.map(lambda text: [option, text])


def some(*parts: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    """Some of these options, in any order."""
    return st.lists(st.one_of(*parts), max_size=4).map(lambda lists: [item for one in lists for item in one])


def number_for(option: str) -> st.SearchStrategy[list[str]]:
    return numbers.map(lambda value: [option, str(value)])


def choice_for(option: str, known) -> st.SearchStrategy[list[str]]:
    return st.one_of(st.sampled_from(list(known)), texts).map(lambda text: [option, text])


def settings_of(chosen: dict[str, Any]) -> list[str]:
    """The command line for these settings."""
    return [
        part
        for key, value in chosen.items()
        for part in ("--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}")
    ]


@functools.cache
def tiny_arguments() -> tuple[str, ...]:
    return ("--env", "point-robot", "--preset", "quick", *settings_of(TINY))


@st.composite
def damaged(draw: Any, whole_file: bytes) -> bytes:
    """A file with something wrong: bits, a cut, another piece, or other bytes altogether."""
    data = bytearray(whole_file)
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["bit", "cut", "insert", "remove", "all", "double"]))
        place = draw(st.integers(0, max(0, len(data) - 1)))
        if kind == "bit" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[place:]
        elif kind == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=20))
        elif kind == "remove":
            del data[place : place + draw(st.integers(1, 50))]
        elif kind == "double":
            data += data[place : place + 200]
        else:
            data = bytearray(draw(st.binary(max_size=100)))
    return bytes(data)


@st.composite
def edited(draw: Any, content: Any) -> Any:
    """JSON with one thing replaced, removed or added, somewhere."""
    if isinstance(content, dict) and content and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(content)))
        kind = draw(st.sampled_from(["inside", "inside", "replace", "remove", "add"]))
        if kind == "remove":
            return {name: value for name, value in content.items() if name != key}
        if kind == "add":
            return {**content, draw(texts): draw(values)}
        return {**content, key: draw(edited(content[key]) if kind == "inside" else values)}
    return draw(values)


@st.composite
def with_another_part(draw, content):
    """A checkpoint with a part left out, replaced or added, somewhere within."""
    if isinstance(content, dict) and content and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(content, key=str)))
        kind = draw(st.sampled_from(["inside", "inside", "inside", "replace", "remove", "add"]))
        if kind == "remove":
            return {name: value for name, value in content.items() if name != key}
        if kind == "add":
            return {**content, draw(texts): draw(values)}
        return {**content, key: draw(with_another_part(content[key]) if kind == "inside" else values)}
    if isinstance(content, torch.Tensor) and content.ndim and draw(st.booleans()):
        return content[: draw(st.integers(0, len(content)))]
    return draw(st.one_of(values, st.just(torch.zeros(3)), st.just(torch.tensor(float("nan")))))
