"""The report of a comparison, Markdown and HTML: final scores, figures, versions and
how to repeat it.
"""
from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlkit_hfr.experiments.analysis.logs import RunLog
from rlkit_hfr.experiments.analysis.scores import final_score, interval, methods_of
from rlkit_hfr.experiments.programs import command

_SCORES = ("test return", "test success", "training return, stored context")


def write_report(
    runs: Sequence[RunLog], figures: Sequence[Path], folders: Sequence[Path], out: Path, last: int
) -> tuple[Path, Path]:
    """Write report.md and report.html; returns their paths."""
    text = "\n\n".join([
        "# Comparison of relabelers",
        f"{len(runs)} runs. Scores are the mean of the last {last} iterations of a run; "
        "of these the interquartile mean over seeds, in brackets "
        "its 95 % bootstrap interval. One seed has no interval.",
        *(_scores(runs, env, last) for env in sorted({run.env for run in runs})),
        *(f"![{figure.stem}]({figure.name})" for figure in figures),
        "## Versions", _versions(runs), "## Repeat", _commands(runs, folders),
    ])  # fmt: skip
    markdown, html = out / "report.md", out / "report.html"
    markdown.write_text(text + "\n")
    html.write_text(_html(text))
    return markdown, html


def _scores(runs: Sequence[RunLog], env: str, last: int) -> str:
    here = [run for run in runs if run.env == env]
    columns = [name for name in _SCORES if any(np.isfinite(final_score(run, name, last)) for run in here)]
    lines = [f"| method | seeds | {' | '.join(columns)} | steps |", "|---" * (3 + len(columns)) + "|"]
    for method in methods_of(here):
        group = [run for run in here if run.method == method]
        cells = [_cell(np.array([final_score(run, name, last) for run in group])) for name in columns]
        steps = np.mean([run.table["steps"].iloc[-1] for run in group])
        seeds = ", ".join(map(str, sorted(run.seed for run in group)))
        lines.append(f"| `{method}` | {seeds} | {' | '.join(cells)} | {steps:,.0f} |")
    return f"## {env}\n\n" + "\n".join(lines)


def _cell(scores: np.ndarray) -> str:
    scores = scores[np.isfinite(scores)]
    if not scores.size:
        return ""
    centre, low, high = interval(scores[:, None])
    return (
        f"{centre[0]:.2f}"
        if low is None or high is None
        else f"{centre[0]:.2f} [{low[0]:.2f}, {high[0]:.2f}]"
    )


def _versions(runs: Sequence[RunLog]) -> str:
    known = {json.dumps(run.variant["versions"], sort_keys=True) for run in runs if "versions" in run.variant}
    lines = [
        "- " + ", ".join(f"{name} {version}" for name, version in json.loads(item).items())
        for item in sorted(known)
    ]
    unknown = sum("versions" not in run.variant for run in runs)
    return "\n".join(lines + ([f"- {unknown} runs do not say"] if unknown else []))


def _commands(runs: Sequence[RunLog], folders: Sequence[Path]) -> str:
    """The command of a sweep, where there was one; else one that names each run's own
    settings file.
    """
    lines = []
    for folder in folders:
        file = folder / "compare.json"
        if file.exists():
            lines += json.loads(file.read_text()).get("commands", [])
    if not lines:
        ours = [run for run in runs if "algo_params" in run.variant and "relabeler" in run.variant]
        lines = [_line("train", "--config", run.folder / "variant.json", "--seed", run.seed) for run in ours]
    lines.append(_line("plot", *folders))
    return "```bash\n" + "\n".join(lines) + "\n```"


def _line(program: str, *arguments: object) -> str:
    return f"{command(program)} {shlex.join(map(str, arguments))}"


def _html(text: str) -> str:
    import markdown

    style = "body{font-family:sans-serif;max-width:70em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}" \
            "td,th{border:1px solid #bbb;padding:.3em .7em}img{max-width:100%}pre{background:#f4f4f4;padding:1em;overflow-x:auto}"  # fmt: skip
    body = markdown.markdown(text, extensions=["tables", "fenced_code"])
    return f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Comparison of relabelers</title><style>{style}</style>{body}</html>\n"
