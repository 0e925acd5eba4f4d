"""A report says what it shows, and how to repeat it."""
from __future__ import annotations

import json

import numpy as np
from log_files import settings_of

from rlkit_hfr.experiments.analysis.logs import diagnostics, load_runs
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
    assert names == figures | {"report.md", "report.html"}
    text = (out / "report.md").read_text()
    assert "| `hfr` | 0, 1 |" in text
    assert "| `none` | 0 | 6.50 | 0.50 |" in text  # one seed: no brackets
    assert "torch 2" in text
    assert "python launchers/compare.py --env sawyer-push" in text
    assert "<table>" in (out / "report.html").read_text()
    (run,) = (run for run in load_runs([folder]))
    np.testing.assert_array_equal(diagnostics(run)["source_to_new"], [[2, 6], [0, 0]])
    assert main([str(tmp_path / "sweep"), "--out", str(tmp_path / "again"), "--statistic", "mean"]) == 0
    capsys.readouterr()
    assert main([str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.startswith("error: no progress.csv below")
