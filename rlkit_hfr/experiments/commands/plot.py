"""Figures and a report of recorded runs: ``rlkit-hfr plot output/compare``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rlkit_hfr.experiments.commands.outcome import announce, refuse
from rlkit_hfr.experiments.programs import Parser, command

_DESCRIPTION = """\
Figures and a report of recorded runs. Reads the logs of the built-in PEARL, oyster, rlkit,
the HFR release and what viskit reads, from any folders above them. Writes report.html (one
file that can be mailed), report.md, scores.json, and the figures (PNG and PDF). What can't
be read is left out, with a warning that names it.
"""


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog=command("plot"), description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders with runs in or below them")
    p.add_argument(
        "--out", type=Path, metavar="DIR", help="where the figures go (default: report/ in the first folder)"
    )
    p.add_argument(
        "--last", type=int, default=10, help="evaluations that make up a final score (default: 10)"
    )
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
    announce("Loading the plotting library and the logs")
    try:
        if args.last < 1 or args.smooth < 1:
            raise ValueError(f"--last and --smooth must be positive, got {args.last} and {args.smooth}")
        try:
            import jinja2  # noqa: F401
            import rliable.library  # noqa: F401

            from rlkit_hfr.experiments.analysis import figures, logs, notices, report, study
            from rlkit_hfr.files import staged
        except ImportError as error:
            raise ValueError(
                f"figures need the package {error.name}; run: pip install 'rlkit-hfr[plots]'"
            ) from None
        with notices.told(lambda text: print(f"warning: {text}", file=sys.stderr)) as left_out:
            runs = logs.load_runs(args.folders)
            out = args.out or args.folders[0] / "report"
            last = min(args.last, max(len(run.table) for run in runs))
            shown = study.Study(
                runs=runs, folders=args.folders, last=last, window=args.smooth, statistic=args.statistic
            )
            with staged(out) as folder:
                drawn = figures.draw_all(shown, folder)
                written = report.write_report(shown, drawn, folder, left_out)
        for file in (*(figure.file for figure in drawn), *written):
            print(out / file.name)
    except (ValueError, OSError) as error:
        return refuse(error, folder=args.out or args.folders[0], advice="choose another --out")
    return 0
