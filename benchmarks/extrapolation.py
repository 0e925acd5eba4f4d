"""Return over test-time updates, of the files that ``launchers/extrapolate.py`` wrote.

python benchmarks/extrapolation.py --out curves.png "relabeling=results/mier/point/relabel-*.csv" ...

Each argument is a label and the files of its seeds. Prints mean and standard error over the
seeds before the first update and after the last.
"""

from __future__ import annotations

import argparse
import csv
import glob
from pathlib import Path

import numpy as np


def curve(file: str) -> dict[int, float]:
    """Number of updates -> return, the mean over test tasks."""
    with open(file, newline="") as opened:
        rows = [(int(row["updates"]), float(row["return"])) for row in csv.DictReader(opened)]
    return {
        at: float(np.mean([value for u, value in rows if u == at])) for at in sorted({u for u, _ in rows})
    }


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("groups", nargs="+", metavar="LABEL=PATTERN")
    p.add_argument("--out", type=Path, required=True, metavar="PNG")
    args = p.parse_args()
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axis = plt.subplots(figsize=(5.5, 3.6), constrained_layout=True)
    for group in args.groups:
        label, _, pattern = group.partition("=")
        curves = [curve(file) for file in sorted(glob.glob(pattern))]
        if not curves:
            p.error(f"no file fits {pattern}")
        times = sorted(curves[0])
        values = np.array([[one[at] for at in times] for one in curves])  # (seeds, times)
        mean, seeds = values.mean(axis=0), len(values)
        error = values.std(axis=0, ddof=1) / np.sqrt(seeds) if seeds > 1 else np.zeros_like(mean)
        for number in sorted({0, len(times) - 1}):
            figures = f"{mean[number]:.1f} +- {error[number]:.1f}"
            print(f"{label}: {times[number]:,} updates: {figures}, {seeds} seeds")
        if len(times) == 1:
            axis.axhline(mean[0], ls="--", color="0.4", label=label)
            continue
        (line,) = axis.plot(times, mean, label=label)
        axis.fill_between(times, mean - error, mean + error, alpha=0.2, color=line.get_color(), lw=0)
    axis.set_xlabel("updates of the policy on the test task")
    axis.set_ylabel("return, mean and standard error")
    axis.legend(frameon=False)
    fig.savefig(args.out, dpi=110)


if __name__ == "__main__":
    main()
