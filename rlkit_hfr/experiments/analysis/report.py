"""The report of a comparison: one HTML file that can be mailed, the same as Markdown, and
its numbers as JSON.

Whatever comes out of a log is text: the templates escape it, and the page's policy lets
no script, link or outside picture act.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import jinja2

from rlkit_hfr.experiments.analysis import facts, score_tables, tables
from rlkit_hfr.experiments.analysis.drawing import Figure
from rlkit_hfr.experiments.analysis.logs import read_object
from rlkit_hfr.experiments.analysis.notices import leave_out, printable
from rlkit_hfr.experiments.analysis.study import Study
from rlkit_hfr.experiments.programs import command

TITLE = "Comparison of relabelers"
_SPECIAL = re.compile(r"([\\`*_\[\]#!|~$])")


def write_report(
    study: Study, figures: Sequence[Figure], out: Path, left_out: Sequence[str] = ()
) -> tuple[Path, Path, Path]:
    """Write report.html, report.md and scores.json; returns their paths. left_out: what
    could not be read, in words.
    """
    final, ends = score_tables.final_tables(study)
    over_all, aggregate = score_tables.aggregate_table(study)
    relabeling, relabeled = tables.relabeling_table(study)
    differing, settings = tables.settings_table(study)
    runs, raw = tables.run_table(study)
    middle = [over_all, relabeling, differing, tables.provenance_table(study)]
    lines = _commands(study)
    ticks = max((len(run) for line in lines for run in re.findall(r"`+", line)), default=0)
    content = dict(
        title=TITLE,
        summary=_summary(study),
        cautions=score_tables.cautions(study),
        left_out=[printable(text, 400) for text in left_out],
        final=final,
        final_note=score_tables.final_note(study),
        tables=[table for table in middle if table is not None],
        figures=[
            dict(title=f.title, caption=f.caption, name=f.file.name, picture=_data_uri(f.file))
            for f in figures
        ],
        shared=settings["shared"],
        runs=runs,
        commands=lines,
        colours={method: look["color"] for method, look in study.looks.items()},
        fence="`" * max(3, ticks + 1),
    )
    environment = _environment()
    numbers = {
        "last": study.last,
        "methods": study.methods,
        "scores": ends,
        "aggregate": aggregate,
        "relabeling": relabeled,
        "settings": settings,
        "runs": raw,
    }
    html, markdown, scores = out / "report.html", out / "report.md", out / "scores.json"
    html.write_text(environment.get_template("report.html.jinja").render(content), encoding="utf-8")
    markdown.write_text(environment.get_template("report.md.jinja").render(content) + "\n", encoding="utf-8")
    scores.write_text(facts.as_json(numbers), encoding="utf-8")
    return html, markdown, scores


def _environment() -> jinja2.Environment:
    """The templates; HTML escapes whatever it is given, Markdown has a filter for it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=jinja2.select_autoescape(["html.jinja"]),
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["md"] = markdown_text
    return environment


def markdown_text(text: str) -> str:
    """As Markdown shows it and nothing else: no markup, no HTML, no link."""
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        _SPECIAL.sub(r"\\\1", line).replace("@", "&#64;").replace("://", "&#58;//")
    )  # bare addresses are links


def _summary(study: Study) -> str:
    seconds = [value for run in study.runs if (value := facts.wall_time(run)) == value]
    taken = f", {facts.spoken(sum(seconds))} of computing" if seconds else ""
    envs = ", ".join(study.envs)
    return (
        f"{len(study.runs)} runs of {len(study.methods)} methods on {envs}{taken}. "
        f"Report made on {datetime.now():%Y-%m-%d}. A method has the same colour in every figure and table."
    )


def _data_uri(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()


def _commands(study: Study) -> list[str]:
    """The commands of a sweep, where there was one; else one that names each run's own
    settings file.
    """
    lines: list[str] = []
    for folder in study.folders:
        file = folder / "compare.json"
        if not file.exists():
            continue
        try:
            found = read_object(file).get("commands", [])
            if not isinstance(found, list) or not all(isinstance(line, str) for line in found):
                raise ValueError("expected a list of texts under commands")
        except (OSError, ValueError) as error:
            leave_out(file, error)
            continue
        lines += [printable(line, None) for line in found]
    if not lines:
        ours = [run for run in study.runs if "algo_params" in run.variant and "relabeler" in run.variant]
        lines = [_line("train", "--config", run.folder / "variant.json", "--seed", run.seed) for run in ours]
    options = ("--last", study.last, "--smooth", study.window, "--statistic", study.statistic)
    return [*lines, _line("plot", *study.folders, *options)]


def _line(program: str, *arguments: object) -> str:
    return printable(f"{command(program)} {shlex.join(map(str, arguments))}", None)
