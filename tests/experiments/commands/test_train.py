"""The command line: presets, configs, overrides, what a run leaves behind, and what a
wrong word is told.
"""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_runs import assignments, options

from env_wrappers import ENVIRONMENTS
from rlkit_hfr import RELABELERS
from rlkit_hfr.experiments.commands import train
from rlkit_hfr.experiments.commands.compare import main as compare
from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.runs.checkouts import CLONE
from rlkit_hfr.experiments.settings.machine import commit
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.pearl.logger import SNAPSHOT_MODES
from rlkit_hfr.pearl.writers import ROW_WRITERS
from rlkit_hfr.precision import PRECISIONS

ROOT = Path(__file__).parents[3]
TINY_ARGS = options(assignments(num_iterations=2, num_initial_states=4))


def _run(tmp_path, *args):
    return main([*args, "--log-dir", str(tmp_path / "log"), *TINY_ARGS])


def test_a_run_leaves_rlkits_files_with_live_columns(tmp_path, capsys):
    assert _run(tmp_path, "--env", "sparse-point-robot", "--seed", "5") == 0
    out = capsys.readouterr().out
    (folder,) = (tmp_path / "log" / "sparse-point-robot-hfr").iterdir()
    assert str(folder) in out
    assert "\n2/2  " in out
    assert {path.name for path in folder.iterdir()} == {
        "progress.csv",
        "variant.json",
        "debug.log",
        "params.pkl",
        "relabeling",
        "finished.sha256",
    }
    rows = list(csv.DictReader((folder / "progress.csv").open()))
    assert [row["Epoch"] for row in rows] == ["0", "1"]
    for column in (
        "AverageReturn_all_test_tasks",
        "SuccessRate_all_test_tasks",
        "QF Loss",
        "Number of env steps total",
        "Total Train Time (s)",
        "relabel/utility Mean",
        "relabel/log Z Mean",
        "relabel/effective tasks",
        "relabel/time (s)",
    ):
        assert float(rows[1][column]) == float(rows[1][column]), column
    variant = json.loads((folder / "variant.json").read_text())
    assert variant["seed"] == 5
    assert variant["relabeler"] == "hfr"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", variant["started"])
    assert variant["versions"].get("commit") == commit()
    assert (
        variant["versions"]["torch"] == torch.__version__.split("+")[0]
        or variant["versions"]["torch"] == torch.__version__
    )
    assert torch.load(folder / "params.pkl", weights_only=True)["epoch"] == 1


def test_seeds_are_honoured(tmp_path):
    rows = []
    for i, seed in enumerate(("1", "1", "2")):
        assert _run(tmp_path / str(i), "--env", "point-robot", "--seed", seed) == 0
        (file,) = (tmp_path / str(i)).glob("log/*/*/progress.csv")
        rows.append([{k: v for k, v in row.items() if "ime" not in k} for row in csv.DictReader(file.open())])
    assert rows[0] == rows[1]
    assert rows[0] != rows[2]


@pytest.mark.parametrize("name", [name for name in ENVIRONMENTS if name != "sparse-point-robot"])
def test_every_family_runs_two_iterations_of_the_quick_preset_with_hfr(tmp_path, name):
    same = (
        ["n_train_tasks=2", "n_eval_tasks=2", "num_tasks_sample=6"]
        if name.endswith("-dir") and name != "humanoid-dir"
        else []
    )
    same = ["n_train_tasks=4", "n_eval_tasks=4"] if name == "four-corners" else same
    same = ["n_train_tasks=3", "n_eval_tasks=1"] if name == "ant-broken-leg" else same
    small = [
        part
        for item in (*same, "max_path_length=20", "relabel_fraction=1.0", "num_extra_rl_steps_posterior=0")
        for part in ("--set", item)
    ]
    where = ["--log-dir", str(tmp_path / "log")]
    assert main(["--env", name, "--preset", "quick", "--relabeler", "hfr", *where, *TINY_ARGS, *small]) == 0
    (file,) = tmp_path.glob("log/*/*/progress.csv")
    rows = list(csv.DictReader(file.open()))
    assert len(rows) == 2
    assert float(rows[1]["relabel/paths relabeled"]) > 0
    assert float(rows[1]["QF Loss"]) == float(rows[1]["QF Loss"])


def test_a_runs_own_variant_can_be_its_config(tmp_path):
    _run(tmp_path, "--env", "point-robot", "--set", "temperature=2.5")
    (file,) = tmp_path.glob("log/*/*/variant.json")
    first = json.loads(file.read_text())
    again = build_variant(None, None, None, file, [], first["seed"])
    of_the_run = ("preset", "started", "versions", "machine")
    assert {k: v for k, v in again.items() if k not in of_the_run} == {
        k: v for k, v in first.items() if k not in of_the_run
    }


def test_a_config_says_which_snapshots_and_rows_are_kept_unless_the_command_line_does(tmp_path, capsys):
    def shown(*arguments):
        assert main(["--config", str(file), "--dry-run", *arguments]) == 0
        variant = json.loads(capsys.readouterr().out)
        return variant["snapshots"], variant["log"]

    file = tmp_path / "config.json"
    content = {"env_name": "point-robot", "log": ["csv", "jsonl"]}
    content["snapshots"] = {"snapshot_mode": "gap", "snapshot_gap": 3}
    file.write_text(json.dumps(content))
    assert shown() == ({"snapshot_mode": "gap", "snapshot_gap": 3}, ["csv", "jsonl"])
    assert shown("--snapshot-gap", "5") == ({"snapshot_mode": "gap", "snapshot_gap": 5}, ["csv", "jsonl"])
    assert shown("--snapshot-mode", "all", "--log", "csv") == (
        {"snapshot_mode": "all", "snapshot_gap": 3},
        ["csv"],
    )
    for wrong in ({"snapshots": {"snapshot_mode": "gap"}}, {"log": ["paper"]}, {"host": "oyster"}):
        file.write_text(json.dumps({**content, **wrong}))
        for program in (main, compare):
            where = (
                ["--dry-run"]
                if program is main
                else ["--env", "point-robot", "--log-dir", str(tmp_path / "x")]
            )
            assert program(["--config", str(file), *where]) == 2
            error = capsys.readouterr().err
            assert next(iter(wrong)) in error
            assert len(error.splitlines()) == 1
    assert os.listdir(tmp_path) == ["config.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "sawyer-psh"], "unknown environment 'sawyer-psh' (did you mean 'sawyer-push'?)"),
        ([], "--env NAME"),
        (["--env", "point-robot", "--relabeler", "hffr"], "did you mean 'hfr'"),
        (["--env", "point-robot", "--preset", "fast"], "paper, quick"),
        (["--env", "point-robot", "--set", "meta_bach=3"], "did you mean 'meta_batch'"),
        (["--env", "point-robot", "--set", "meta_batch"], "key=value"),
        (["--env", "point-robot", "--set", "meta_batch=-3"], "meta_batch must be positive"),
        (["--env", "point-robot", "--set", "num_iterations=0"], "num_iterations must be positive"),
        (["--env", "point-robot", "--set", "net_size=2.5"], "net_size must be a positive whole number"),
        (["--env", "point-robot", "--set", "relabel_fraction=7"], "between 0 and 1"),
        (
            ["--env", "point-robot", "--relabeler", "random", "--set", "temperature=1"],
            "has no option 'temperature'",
        ),
        (["--env", "point-robot", "--set", "n_tasks=2"], "must be at most n_tasks"),
        (["--env", "point-robot", "--set", "n_tasks=90"], "so that test tasks are new"),
        (["--env", "point-robot", "--set", "n_tasks=abc"], "n_tasks must be a whole number"),
        (["--env", "point-robot", "--set", "keep_original=no"], "keep_original must be true or false"),
        (["--env", "point-robot", "--set", "relabel_fraction=true"], "between 0 and 1"),
        (["--env", "point-robot", "--set", "sparse_rewards=true"], "point-robot has none"),
        (["--env", "point-robot", "--set", "num_steps_prior=0", "--set", "num_steps_posterior=0"], "both 0"),
        (["--env", "point-robot", "--set", "latent_size=100000000000"], "can't build the networks"),
        (["--config", "{tmp}/number.json"], "env_name must be a name"),
        (["--env", "point-robot", "--set", "start=caged"], "start"),
        (["--env", "point-robot", "--seed", "-1"], "--seed must be zero or more"),
        (
            ["--env", "point-robot", "--set", "precision=bf16"],
            "algo_params.precision or relabel_params.precision",
        ),
        (["--env", "point-robot", "--set", "use_information_bottleneck=1"], "must be true or false, got 1"),
        (
            ["--config", "{tmp}/softmax.json"],
            'use_softmax in {tmp}/softmax.json must be true or false, got "no"',
        ),
        (["--config", "{tmp}/seed.json"], "seed in {tmp}/seed.json must be a whole number"),
        (["--config", "nowhere.json"], "can't read the config nowhere.json"),
        (["--config", "{tmp}/broken.json"], "not valid JSON"),
        (["--config", "{tmp}/list.json"], "one JSON object"),
        (["--config", "{tmp}/unknown.json"], "did you mean 'algo_params'"),
        (["--config", "{tmp}/recurrent.json"], "recurrent"),
        (["--env", "point-robot", "--log-dir", "{tmp}/broken.json/below"], "can't write"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    files = {
        "broken.json": "{",
        "number.json": '{"env_name": 5}',
        "list.json": "[1]",
        "unknown.json": '{"env_name": "point-robot", "algo_parms": {}}',
        "recurrent.json": '{"env_name": "point-robot", "algo_params": {"recurrent": true}}',
    }
    files |= {
        "softmax.json": '{"env_name": "point-robot", "algo_params": {"use_softmax": "no"}}',
        "seed.json": '{"env_name": "point-robot", "seed": "7"}',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert main([arg.replace("{tmp}", str(tmp_path)) for arg in arguments]) == 2
    captured = capsys.readouterr()
    assert message.replace("{tmp}", str(tmp_path)) in captured.err
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert {path.name for path in tmp_path.iterdir()} == set(files)  # nothing half-made


@pytest.mark.skipif(
    torch.cuda.is_available(), reason="this machine has the CUDA device that the test wants missing"
)
def test_a_missing_cuda_device_is_said(capsys):
    assert main(["--env", "point-robot", "--device", "cuda"]) == 2
    assert "no CUDA device" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["--env", "point-robot", "--log-dir", str(tmp_path / "log")]) == 2
    assert "can't write" in capsys.readouterr().err


def test_a_configs_seed_holds_unless_another_is_given(tmp_path, capsys):
    file = tmp_path / "variant.json"
    file.write_text(json.dumps({"env_name": "point-robot", "seed": 7}))
    for arguments, seed in (
        (["--config", str(file)], 7),
        (["--config", str(file), "--seed", "3"], 3),
        (["--env", "point-robot"], 0),
    ):
        assert main([*arguments, "--dry-run"]) == 0
        assert json.loads(capsys.readouterr().out)["seed"] == seed


def test_dry_run_prints_the_settings_and_makes_nothing(tmp_path, capsys):
    assert (
        main(["--env", "sawyer-push", "--preset", "quick", "--dry-run", "--log-dir", str(tmp_path / "log")])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["env_name"] == "sawyer-push"
    assert not list(tmp_path.iterdir())


def test_interrupt_keeps_what_was_logged(tmp_path):
    arguments = [
        "--env",
        "point-robot",
        "--log-dir",
        str(tmp_path),
        *TINY_ARGS,
        "--set",
        "num_iterations=9999",
    ]
    command = [sys.executable, "launchers/pearl_hfr.py", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not any(
        len(f.read_text().splitlines()) > 3 for f in tmp_path.glob("*/*/progress.csv")
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "once more stops at once" in err
    assert "Stopped after" in err
    assert "the checkpoint with: python launchers/pearl_hfr.py --resume " in err
    assert "Traceback" not in err
    (file,) = tmp_path.glob("*/*/progress.csv")
    rows = list(csv.DictReader(file.open()))
    assert [int(row["Epoch"]) for row in rows] == list(range(len(rows)))


def test_help_names_what_there_is():
    """The names stand in the parser again, so that it needs no torch."""
    assert tuple(RELABELERS) == train._RELABELERS
    assert train._PRECISIONS == PRECISIONS
    assert train._SNAPSHOT_MODES == SNAPSHOT_MODES
    assert ("carried", *CLONE) == train._HOSTS
    assert tuple(ROW_WRITERS) == train._LOGS


def test_no_launcher_hides_a_package():
    """Run as a script, the folder of the launchers comes first on the path: their files
    must not be named like what others import.
    """
    import importlib.util

    names = [file.stem for file in (ROOT / "launchers").glob("*.py") if file.stem != "__init__"]
    assert [name for name in names if importlib.util.find_spec(name) is not None] == []
    assert not {"tensorboard", "ray", "submitit", "rliable", "jinja2", "pandas"} & set(names)


def test_tensorboard_mirrors_every_row(tmp_path):
    pytest.importorskip(
        "tensorboard", reason="TensorBoard is not installed: pip install 'rlkit-hfr[tensorboard]'"
    )
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    command = [
        sys.executable,
        "launchers/pearl_hfr.py",
        "--env",
        "point-robot",
        "--tensorboard",
        "--run-dir",
        str(tmp_path / "run"),
        *TINY_ARGS,
    ]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    rows = list(csv.DictReader((tmp_path / "run" / "progress.csv").open()))
    scalars = events.Scalars("evaluation/AverageReturn_all_test_tasks")
    assert [event.step for event in scalars] == [int(row["Number of env steps total"]) for row in rows]
    assert [event.value for event in scalars] == pytest.approx(
        [float(row["AverageReturn_all_test_tasks"]) for row in rows]
    )
