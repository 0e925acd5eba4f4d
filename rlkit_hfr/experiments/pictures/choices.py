"""What every relabeler would do with one path: a table and a picture of where each of
them sends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlkit_hfr import RELABELERS
from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.relabelers.sampling import SamplingRelabeler
from rlkit_hfr.scoring.scorer import Scorer


def choices(
    path: PathDict,
    source: int,
    scorer: Scorer,
    history: Sequence[PathDict],
    samples: int,
    rng: np.random.Generator,
) -> dict[str, list[float]]:
    """Of every method, the share of the path that goes to each candidate task, over
    `samples` decisions; loose transitions count in parts.

    history: paths that were collected before, for methods that compare with them.
    """
    shares = {}
    for name in RELABELERS:
        relabeler = make_relabeler(name)
        if (relabeler.needs_goals and not scorer.has_goals()) or name == "none":
            continue
        if relabeler.needs_vectors and not scorer.has_vectors():
            continue
        if isinstance(relabeler, SamplingRelabeler):  # it sends no path anywhere
            continue
        with scorer.networks.isolated():
            relabeler.observe(list(history), scorer)
            decisions = relabeler.decide([path] * samples, [source] * samples, scorer, rng)
        new = np.concatenate([np.atleast_1d(np.asarray(decision.tasks)) for decision in decisions])
        shares[name] = [float(np.mean(new == task)) for task in scorer.candidate_tasks]
    return shares


def draw_choices(shares: dict[str, list[float]], tasks: Sequence[str], file: Path, title: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    grid = np.array(list(shares.values()))
    fig, axis = plt.subplots(figsize=(2.2 + 1.3 * len(tasks), 1.4 + 0.42 * len(shares)), layout="constrained")
    image = axis.imshow(grid, aspect="auto", cmap="Blues", vmin=0.0, vmax=1.0)
    for row, values in enumerate(grid):
        for column, value in enumerate(values):
            axis.text(
                column,
                row,
                f"{value:.2f}",
                ha="center",
                va="center",
                color="white" if value > 0.6 else "black",
                fontsize=9,
            )
    axis.set_xticks(range(len(tasks)), tasks)
    axis.set_yticks(range(len(shares)), list(shares))
    axis.set_title(title, fontsize=9)
    fig.colorbar(image, ax=axis, label="share of the path")
    fig.savefig(file, dpi=100)
    plt.close(fig)
