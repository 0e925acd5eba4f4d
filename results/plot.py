"""Learning curves of the recorded runs: ``python results/plot.py`` draws one picture per folder beside this file."""
from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

_STYLES = {"none": ("tab:orange", "--", "s"), "hfr": ("tab:blue", "-", "o"), "random": ("tab:green", ":", "^")}
_WINDOW = 5


def _column(rows: list[dict[str, str]], key: str) -> np.ndarray:
    return np.array([float(row[key]) for row in rows])


def _smooth(values: np.ndarray) -> np.ndarray:
    """Mean over the last `_WINDOW` iterations, fewer at the beginning."""
    return np.array([values[max(0, i - _WINDOW + 1): i + 1].mean() for i in range(len(values))])


def draw(folder: Path) -> None:
    runs: dict[str, list[list[dict[str, str]]]] = defaultdict(list)
    for file in sorted(folder.glob("*/progress.csv")):
        variant = json.loads((file.parent / "variant.json").read_text())
        runs[variant["relabeler"]].append(list(csv.DictReader(file.open())))
    has_success = any(row["SuccessRate_all_test_tasks"] != "nan" for group in runs.values() for row in group[0][:1])
    keys = ["AverageReturn_all_test_tasks"] + (["SuccessRate_all_test_tasks"] if has_success else [])
    fig, axes = plt.subplots(1, len(keys), figsize=(5.5 * len(keys), 3.8), constrained_layout=True, squeeze=False)
    for axis, key in zip(axes[0], keys, strict=True):
        for relabeler, group in sorted(runs.items()):
            colour, line, marker = _STYLES[relabeler]
            for i, rows in enumerate(group):
                steps = _column(rows, "Number of env steps total") / 1000
                label = f"{relabeler} (seeds: {len(group)})" if i == 0 else None
                look = dict(color=colour, ls=line, marker=marker, markevery=5, ms=4, lw=1.2, alpha=0.85)
                axis.plot(steps, _smooth(_column(rows, key)), label=label, **look)
        axis.set(xlabel="environment steps (thousands)", ylabel="test return" if "Return" in key else "test success rate")
        axis.grid(alpha=0.3)
        axis.legend()
    fig.suptitle(f"{folder.name}: one line a seed, mean of {_WINDOW} iterations")
    fig.savefig(folder / "curves.png", dpi=100)
    plt.close(fig)


if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.iterdir()):
        if path.is_dir():
            draw(path)
