"""Figures and a report of recorded runs: ``rlkit-hfr plot output/compare``."""
from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from rlkit_hfr.experiments.commands.outcome import refuse
from rlkit_hfr.experiments.programs import command

_DESCRIPTION = """\
Figures and a report of recorded runs. Reads the logs of the carried PEARL, oyster, rlkit
and the HFR release, from any folders above them. Writes curves, aggregate, relabeling and
time (PNG and PDF), report.md and report.html.
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog=command("plot"), description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders with runs in or below them")
    p.add_argument(
        "--out", type=Path, metavar="DIR", help="where the figures go (default: report/ in the first folder)"
    )
    p.add_argument("--last", type=int, default=10, help="iterations that make up a final score (default: 10)")
    p.add_argument(
        "--smooth",
        type=int,
        default=5,
        metavar="N",
        help="iterations that a point of a curve averages (default: 5)",
    )
    p.add_argument("--statistic", choices=("iqm", "mean"), default="iqm", help="over seeds (default: iqm)")
    return p


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        if args.last < 1 or args.smooth < 1:
            raise ValueError(f"--last and --smooth must be positive, got {args.last} and {args.smooth}")
        try:
            import markdown  # noqa: F401
            import rliable.library  # noqa: F401

            from rlkit_hfr.experiments.analysis import figures, logs, report
        except ImportError as error:
            raise ValueError(
                f"figures need the package {error.name}; run: pip install 'rlkit-hfr[plots]'"
            ) from None
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UserWarning)
            runs = logs.load_runs(args.folders)
        for warning in told:
            print(f"warning: {warning.message}", file=sys.stderr)
        out = args.out or args.folders[0] / "report"
        out.mkdir(parents=True, exist_ok=True)
        last = min(args.last, max(len(run.table) for run in runs))
        envs = sorted({run.env for run in runs})
        relabeling = [
            figures.draw_relabeling([run for run in runs if run.env == env], out, args.smooth) for env in envs
        ]
        curves, aggregate = (
            figures.draw_curves(runs, out, args.smooth, args.statistic),
            figures.draw_aggregate(runs, out, last),
        )
        files = [
            figure
            for figure in (curves, aggregate, *relabeling, figures.draw_time(runs, out))
            if figure is not None
        ]
        for file in (*files, *report.write_report(runs, files, args.folders, out, last)):
            print(file)
    except (ValueError, OSError) as error:
        return refuse(error, folder=args.out or args.folders[0], advice="choose another --out")
    return 0
