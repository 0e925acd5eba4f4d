"""The bench of relabeling quality runs, and gives the answers that are known."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TINY = [
    "num_iterations=2",
    "num_train_steps_per_itr=3",
    "num_initial_steps=200",
    "n_train_tasks=4",
    "n_eval_tasks=2",
    "num_tasks_sample=3",
    "meta_batch=3",
    "num_initial_states=4",
]


def test_quality_of_methods_whose_answer_is_known(tmp_path):
    out = tmp_path / "rows.json"
    settings = [part for item in TINY for part in ("--set", item)]
    arguments = [
        "--env",
        "sparse-point-robot",
        "--seeds",
        "1",
        "--draws",
        "2",
        "--paths",
        "24",
        "--stages",
        "1",
    ]
    command = [sys.executable, "benchmarks/quality.py", *arguments, *settings, "--out", str(out)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    rows = {row["method"]: row for row in json.loads(out.read_text())}
    assert rows["none"]["TV"] == 0.0  # it draws nothing
    assert rows["none"]["starved"] == 0.0  # every task keeps its own
    assert math.isnan(rows["none"]["kept"]) or rows["none"]["kept"] == 1.0
    assert (
        rows["hfr, off"]["noise"] < rows["hfr, a sample of z"]["noise"]
    )  # the posterior's mean is no sample
    assert all(0.0 <= row["starved"] <= 1.0 and 0.0 <= row["TV"] <= 1.0 for row in rows.values())
