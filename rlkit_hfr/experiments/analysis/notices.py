"""What is left out of a report, and why."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LONGEST_NAME = 80


class LeftOut(UserWarning):
    """A file that can't be read; the report is made of the others."""


def leave_out(file: Path, reason: object) -> None:
    """Warn that a file is left out. reason: in words, or the error that reading raised."""
    if isinstance(reason, OSError) and reason.strerror:
        reason = reason.strerror
    elif isinstance(reason, BaseException) and not str(reason):
        reason = type(reason).__name__
    warnings.warn(
        f"left out {printable(str(file), None)}: {printable(str(reason), 200)}", LeftOut, stacklevel=2
    )


def printable(text: str, longest: int | None = LONGEST_NAME) -> str:
    """One line that any file, terminal or font takes: no control characters, no lone
    surrogates, cut to `longest` characters.
    """
    shown = "".join(
        " " if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") else letter for letter in text
    )
    shown = shown.encode("utf-8", "replace").decode().strip()
    return shown if longest is None or len(shown) <= longest else f"{shown[: longest - 1]}…"


@contextmanager
def told(say: Callable[[str], None]) -> Iterator[list[str]]:
    """Inside, what is left out is said at once, each thing once, and gathered; other
    warnings go where they always go, but matplotlib's of letters that a font lacks.
    """
    gathered: list[str] = []
    with warnings.catch_warnings():
        show = warnings.showwarning

        def showwarning(message: Warning | str, category: type[Warning], *rest: Any, **options: Any) -> None:
            if not issubclass(category, LeftOut):
                show(message, category, *rest, **options)
            elif str(message) not in gathered:
                gathered.append(str(message))
                say(str(message))

        warnings.simplefilter("always", LeftOut)
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.showwarning = showwarning
        yield gathered
