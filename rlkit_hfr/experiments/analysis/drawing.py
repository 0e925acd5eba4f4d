"""What all figures of a report share: the style, the panels, the legend, the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

from rlkit_hfr.experiments.analysis.study import Study

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# "$" in a name is no formula; names from logs may hold letters that a font lacks.
styled = matplotlib.rc_context({"text.parse_math": False, "axes.formatter.use_mathtext": False})


@dataclass(frozen=True)
class Figure:
    """file: its PNG; a PDF of the same name lies beside it."""

    file: Path
    title: str
    caption: str


def save(fig: plt.Figure, stem: Path) -> Path:
    """Writes a PNG and a PDF, closes the figure and returns the PNG."""
    for ending in ("png", "pdf"):
        fig.savefig(stem.with_name(f"{stem.name}.{ending}"), dpi=110)
    plt.close(fig)
    return stem.with_name(f"{stem.name}.png")


def short(name: str) -> str:
    """A name that fits a legend."""
    return name if len(name) <= 36 else f"{name[:35]}…"


def legend(fig: plt.Figure, study: Study, methods: Sequence[str]) -> None:
    """One legend for all panels, below them."""
    handles = []
    for method in methods:
        few, most = study.seeds(method)
        label = f"{short(method)} ({few if few == most else f'{few} to {most}'})"
        handles.append(plt.Line2D([], [], label=label.lstrip("_"), **study.looks[method]))
    width = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, min(len(handles), int(fig.get_figwidth() * 14 / (width + 8))))
    fig.legend(
        handles=handles,
        loc="outside lower center",
        ncols=columns,
        fontsize=8,
        title="method (runs)",
        title_fontsize=8,
    )


def panels(
    rows: int, columns: int, *, width: float = 4.4, height: float = 3.0
) -> tuple[plt.Figure, np.ndarray]:
    """A figure and its axes (rows, columns); width and height of each in inches, legend apart."""
    size = (max(6.0, width * columns), 1.2 + height * rows)
    return plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")


def line(
    axis: plt.Axes, study: Study, method: str, x: np.ndarray, drawn: Sequence[np.ndarray | None]
) -> None:
    """One method's line and band. x: (I,); drawn: centre, low and high, each (I,)."""
    centre, low, high = drawn
    assert centre is not None
    axis.plot(x, centre, markevery=max(1, len(x) // 6), **study.looks[method])
    if low is not None and high is not None:
        axis.fill_between(x, low, high, color=study.looks[method]["color"], alpha=0.13, lw=0)
