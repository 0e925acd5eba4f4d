"""JSON files that hold settings: read once, in one place, and not without end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rlkit_hfr.files import open_plain

JsonObject = dict[str, Any]  # what JSON can hold: a reader has to look
MOST_BYTES = 10_000_000  # a settings file has a few thousand
_DEEPEST = 20  # a variant has three levels


def read_object(path: Path) -> JsonObject:
    """The JSON object in a file.

    OSError if it can't be read, ValueError that goes on from the file's name if it
    holds something else.
    """
    with open_plain(path, MOST_BYTES) as file:
        text = file.read()
    try:
        content = json.loads(text.decode(), object_pairs_hook=_without_repeats, parse_int=_whole)
    except RecursionError:
        raise ValueError(f"is nested deeper than {_DEEPEST} levels; settings have three") from None
    except ValueError as error:
        raise ValueError(f"is not valid JSON ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(f"must hold one JSON object, got {type(content).__name__}")
    check_depth(content)
    return content


def load_object(path: Path, what: str = "", advice: str = "") -> JsonObject:
    """The JSON object in a file. ValueError, with the file's name, for whatever is wrong.

    what: what the file is, and advice: what to do, for the message.
    """
    end = f"; {advice}" if advice else ""
    try:
        return read_object(path)
    except OSError as error:
        raise ValueError(f"can't read {what}{path}: {error.strerror}{end}") from None
    except ValueError as error:
        raise ValueError(f"{path} {error}{end}") from None


def check_depth(value: object) -> None:
    """ValueError if lists and objects stand in each other too deep to go through."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            item
            for outer in level
            if isinstance(outer, (dict, list))
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
    if level:
        raise ValueError(f"is nested deeper than {_DEEPEST} levels; settings have three")


def _without_repeats(pairs: list[tuple[str, object]]) -> JsonObject:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:60]!r} stands there twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > 30:
        raise ValueError(f"a number of {len(digits)} digits: {digits[:20]}...")
    return int(digits)
