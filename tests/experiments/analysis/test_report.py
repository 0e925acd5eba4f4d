"""A report says what it shows, and how to repeat it; what comes from logs is text in it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
from log_files import settings_of

from rlkit_hfr.experiments.analysis.logs import load_runs
from rlkit_hfr.experiments.analysis.moves import source_to_new
from rlkit_hfr.experiments.analysis.report import markdown_text
from rlkit_hfr.experiments.commands.plot import main


def test_a_report_names_seeds_versions_commands_and_single_seeds(write_run, tmp_path, capsys):
    extra = {
        "relabel/share that changed task": 0.5,
        "relabel/effective tasks": 3.0,
        "relabel/time (s)": 1.0,
        "Sample Time (s)": 4.0,
    }
    folder = write_run("sweep/hfr/s-0", variant=settings_of(seed=0), extra=extra)
    write_run("sweep/hfr/s-1", variant=settings_of(seed=1), extra=extra, offset=1.0)
    write_run("sweep/none/s-0", variant=settings_of("none"))
    (folder / "relabeling").mkdir()
    for epoch in (0, 1):
        np.savez(
            folder / "relabeling" / f"epoch_{epoch}.npz",
            tasks=np.arange(2),
            source_to_new=np.array([[1.0, 3.0], [0.0, 0.0]]),
        )
    (tmp_path / "sweep" / "compare.json").write_text(
        json.dumps({"commands": ["python launchers/compare.py --env sawyer-push"]})
    )
    assert main([str(tmp_path / "sweep")]) == 0
    out = tmp_path / "sweep" / "report"
    names = {file.name for file in out.iterdir()}
    figures = {
        f"{name}.{end}"
        for name in ("curves", "aggregate", "relabeling-sawyer-push", "time")
        for end in ("png", "pdf")
    }
    assert names == figures | {"report.md", "report.html", "scores.json"}
    text = (out / "report.md").read_text()
    assert "| hfr | 0, 1 | 7.00 | 0.500 |" in text  # two seeds: no brackets
    assert "| none | 0 | 6.50 | 0.500 |" in text
    assert "Caution: Fewer than 5 runs: hfr (2), none (1)." in text
    assert "interquartile" not in text.lower()
    assert "0 to 1: 75%" in text
    assert "torch 2" in text
    assert "python launchers/compare.py --env sawyer-push" in text
    assert "<table>" in (out / "report.html").read_text()
    (run,) = (run for run in load_runs([folder]))
    np.testing.assert_array_equal(source_to_new(run), [[2, 6], [0, 0]])
    options = ["--last", "1", "--smooth", "2", "--statistic", "mean"]
    assert main([str(tmp_path / "sweep"), "--out", str(tmp_path / "again"), *options]) == 0
    commands = (tmp_path / "again" / "report.md").read_text().split("## Repeat")[1]
    assert f"{tmp_path / 'sweep'} {' '.join(options)}\n" in commands
    capsys.readouterr()
    assert main([str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.startswith("error: no progress.csv below")


NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "` <b>x</b> ```",
    "[x](javascript:alert(1))",
    '"><svg/onload=alert(1)>',
    "{{ 7 * 7 }} {% raw %}",
    "a|b|c",
]


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_nothing_from_a_log_is_markup(write_run, tmp_path, capsys):
    for number, text in enumerate(NASTY):
        variant = settings_of(text, env=text)
        variant |= {"versions": {text: text}, "machine": {"processor": text}, "started": text, "commit": text}
        variant["algo_params"] = {text: text, "number": number}
        write_run(f"runs/{number}/s-0", variant=variant, extra={"relabel/effective tasks": 2.0})
    (tmp_path / "runs" / "compare.json").write_text(json.dumps({"commands": [*NASTY, "```\n<script>"]}))
    assert main([str(tmp_path / "runs"), "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    elements = _Elements()
    elements.feed(page)
    allowed = (
        "html head meta title style body h1 h2 h3 p div table thead tbody tr th td span figure img "
        "figcaption details summary pre"
    )
    assert {tag for tag, _ in elements.found} <= set(allowed.split())
    for tag, attributes in elements.found:
        assert not any(name.startswith("on") or name in ("href", "action") for name in attributes)
        if tag == "img":
            assert attributes["src"].startswith("data:image/png;base64,")
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert {"http-equiv": "Content-Security-Policy", "content": policy} in [
        attrs for _, attrs in elements.found
    ]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    text = (tmp_path / "out" / "report.md").read_text()
    prose, commands = text.split("## Repeat")
    assert "<" not in prose
    assert not re.search(r"(?<!\\)`", prose)
    assert r"\[x\](javascript" in prose
    fence = re.match(r"\s*(`+)bash", commands)[1]
    assert commands.count(fence) == 2
    assert len(fence) > 3


def test_markdown_has_no_markup_of_its_input():
    assert markdown_text("a_b|<c> *d* https://e\n# f") == "a\\_b\\|&lt;c&gt; \\*d\\* https&#58;//e \\# f"


def test_a_report_says_when_where_and_with_which_settings(write_run, tmp_path):
    for number, rate in enumerate((0.1, 0.2)):
        variant = settings_of("hfr", seed=number) | {
            "relabel_params": {"temperature": rate},
            "latent_size": 5,
        }
        variant["machine"] = {
            "processor": "Abacus 3000",
            "device": "cpu",
            "updates": "fp32",
            "scoring": "fp32",
        }
        folder = write_run(
            f"runs/p/p_2026_01_02_03_04_05_0000--s-{number}{'-x' * number}",
            variant=variant,
            extra={"Epoch Time (s)": 30},
        )
        (folder / "git_info.txt").write_text(f"git hash: {'ab' * 20}\ngit branch name: main")
    assert main([str(tmp_path / "runs"), "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "report.md").read_text()
    assert (
        "| 2 | 2026-01-02 03:04 | 6 min | 12 min | abababababab | Abacus 3000, cpu, fp32 | torch 2 |" in text
    )
    assert "| relabel\\_params.temperature | 0.1 | hfr temperature=0.1 |" in text
    assert "| latent\\_size | 5 |" in text
    numbers = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert numbers["settings"]["differing"]["relabel_params.temperature"] == {
        "0.1": ["hfr temperature=0.1"],
        "0.2": ["hfr temperature=0.2"],
    }
    found = numbers["scores"]["sawyer-push"]["hfr temperature=0.1"]
    assert found["estimates"]["test return"] == {"centre": 6.5, "low": None, "high": None, "runs": 1}
    assert [run["wall time (s)"] for run in numbers["runs"]] == [360.0, 360.0]
