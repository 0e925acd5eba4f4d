"""The colour, line and marker of a method: fixed by its name, the same in every figure."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import TypedDict

# Okabe and Ito's colours, told apart with any colour vision; then further ones.
_OKABE_ITO = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6D00")
_FURTHER = ("#882255", "#44AA99", "#332288", "#999933", "#AA4499", "#117733", "#DDCC77", "#6699CC", "#661100",
            "#EE8866", "#77AADD", "#BBCC33", "#AAAA00", "#99DDFF", "#FFAABB", "#CC3311", "#0077BB", "#33BBEE",
            "#EE3377", "#BBBBBB", "#009988")  # fmt: skip
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 2)), (0, (3, 1, 1, 1)))
_MARKERS = "osD^vPX*<>"
_KNOWN = ("none", "hfr", "air", "hipi", "random", "hfr-bellman", "advantage", "return", "hipi-trajectory",
          "final-state", "future-state", "hfr-q (release)", "htr", "cds",
          "hipi-sampling", "htr-sampling", "virtual")  # fmt: skip


class Look(TypedDict):
    """Arguments of matplotlib's `plot`; ms: size of a marker, lw: width of a line, in points."""

    color: str
    ls: str | tuple[int, tuple[int, ...]]
    marker: str
    ms: float
    lw: float


def looks(methods: Collection[str]) -> dict[str, Look]:
    """The look of each method.

    The built-in relabelers have places of their own. Another method takes the place
    that its name hashes to, or the next free one: no two of a report share a look.
    """
    places: dict[str, int] = {name: _KNOWN.index(name) for name in methods if name in _KNOWN}
    size = len(_OKABE_ITO) + len(_FURTHER)
    first = len(_KNOWN)
    for name in sorted(set(methods) - set(places)):
        place = first + zlib.crc32(name.encode()) % (size - first)
        taken, tried = set(places.values()), 0
        while place in taken and tried < size:
            place, tried = (place + 1) % size, tried + 1
        while place in taken:
            place += 1
        places[name] = place
    return {name: _look(place) for name, place in places.items()}


def _look(place: int) -> Look:
    colours = _OKABE_ITO + _FURTHER
    return Look(
        color=colours[place % len(colours)],
        ls=_LINES[place % len(_LINES)],
        marker=_MARKERS[place % len(_MARKERS)],
        ms=4,
        lw=1.5,
    )
