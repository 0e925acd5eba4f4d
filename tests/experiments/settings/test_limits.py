"""Every way in leads through the same check of settings, before a process or a folder
is made.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from env_wrappers import ENVIRONMENTS, find_family
from rlkit_hfr.experiments.commands.compare import main as compare
from rlkit_hfr.experiments.commands.four_corners import main as four_corners
from rlkit_hfr.experiments.commands.train import main as train
from rlkit_hfr.experiments.commands.watch import main as watch
from rlkit_hfr.experiments.settings.keys import keys_for
from rlkit_hfr.experiments.settings.limits import check_settings
from rlkit_hfr.experiments.settings.variant import build_variant

ROOT = Path(__file__).parents[3]
WRONG = {
    "num_tasks_sample": [2147483648, 1e300, -1, "3", None, [3], True],
    "num_iterations": [0, 10**25, 2.5, {"a": 1}],
    "net_size": [10**9, 0, 1.5, "big", None, False, [300]],
    "latent_size": [10**6, -1],
    "n_train_tasks": [10**12, 0, "many"],
    "qf_lr": [1e300, -1e-3, "fast", None],
    "discount": [1.0, -0.1, 2],
    "reward_scale": [1e40, "5"],
    "meta_batch": [10**8],
    "replay_buffer_size": [10**15],
    "max_path_length": [10**9],
    "relabel_fraction": [7, -1, "half", None],
    "num_initial_states": [10**9, 0, 1.5, "all"],
    "temperature": [-1, "warm", 1e300],
    "original_contexts": ["x", 1e13],
    "stale_context": ["burn", 5],
    "after_terminal": ["burn", 5],
    "n_tasks": [10**9, "x", -1],
    "task_seed": [-1, 2.5, 2**40],
    "pixel_encoder": ["../x", 5],
}
BAD = [(key, value) for key, values in WRONG.items() for value in values]


def _one_line(capsys) -> str:
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(("key", "value"), BAD)
def test_a_wrong_value_is_refused_by_every_way_in(tmp_path, capsys, key, value):
    text = json.dumps(value)
    assert train(["--env", "point-robot", "--set", f"{key}={text}", "--log-dir", str(tmp_path / "a")]) == 2
    assert key in _one_line(capsys)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"env_name": "point-robot", key: value}))
    assert train(["--config", str(config), "--log-dir", str(tmp_path / "a")]) == 2
    assert key in _one_line(capsys) or isinstance(value, dict)
    if "," not in text:
        where = ["--env", "point-robot", "--log-dir", str(tmp_path / "a")]
        assert compare([*where, "--relabelers", "hfr", "--set", f"{key}={text}"]) == 2
        _one_line(capsys)
    variant = build_variant("point-robot", "hfr", "quick", None, [], 0)
    section, name = keys_for(find_family("point-robot")).place(key)
    (variant[section] if section else variant)[name] = value
    run = tmp_path / "run"
    run.mkdir()
    (run / "variant.json").write_text(json.dumps(variant))
    for program, option in ((train, "--resume"), (watch, "--run")):
        assert program([option, str(run)]) == 2
        _one_line(capsys)
    assert sorted(os.listdir(tmp_path)) == ["config.json", "run"]
    assert os.listdir(run) == ["variant.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"algo_params": {}},
        {"algo_params": []},
        {"algo_params": None},
        {"relabel_params": "x"},
        {"relabel_params": {"a": 1}},
        {"env_params": 3},
        {"env_params": {"color": 1}},
        {"env_params": {"start": "caged"}},
        {"env_name": "../../x"},
        {"env_name": None},
        {"env_name": "nowhere"},
        {"relabeler": "hfrr"},
        {"relabeler": ["hfr"]},
        {"seed": 2**70},
        {"seed": "0"},
        {"seed": -1},
        {"snapshots": {"snapshot_mode": "last", "snapshot_gap": 0}},
        {"snapshots": 5},
        {"snapshots": {"snapshot_mode": "often", "snapshot_gap": 1}},
        {"n_train_tasks": 10**6},
        {"host": "oyster"},
    ],
)
def test_an_edited_variant_is_refused_by_resume_and_watch(tmp_path, capsys, change):
    variant = build_variant("point-robot", "hfr", "quick", None, [], 0)
    (tmp_path / "variant.json").write_text(json.dumps({**variant, **change}))
    for program, option in ((train, "--resume"), (watch, "--run")):
        assert program([option, str(tmp_path)]) == 2
        _one_line(capsys)
    assert os.listdir(tmp_path) == ["variant.json"]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"env_name": ' + "[" * 30 + "]" * 30 + "}",
        '{"env_name": "point-robot", "env_name": "x"}',
        '{"seed": ' + "9" * 5000 + "}",
        '{"env_name": "point-robot", "discount": NaN}',
        "\0",
        "",
    ],
)
def test_json_that_is_none_of_settings_is_refused(tmp_path, capsys, text):
    for name in ("config.json", "variant.json"):
        (tmp_path / name).write_text(text)
    assert train(["--config", str(tmp_path / "config.json"), "--log-dir", str(tmp_path / "a")]) == 2
    _one_line(capsys)
    for program, option in ((train, "--resume"), (watch, "--run")):
        assert program([option, str(tmp_path)]) == 2
        _one_line(capsys)
    where = ["--log-dir", str(tmp_path / "a")]
    assert compare(["--env", "point-robot", "--config", str(tmp_path / "config.json"), *where]) == 2
    _one_line(capsys)
    assert sorted(os.listdir(tmp_path)) == ["config.json", "variant.json"]


@pytest.mark.parametrize(
    "value", ["[" * 5000, '{"a": 1}', "[[1]]", "Infinity", "NaN", "1e400", "x" * 20_000, "\0"]
)
def test_a_value_on_the_command_line_is_a_plain_one(tmp_path, capsys, value):
    arguments = ["--env", "point-robot", "--set", f"temperature={value}", "--log-dir", str(tmp_path / "a")]
    assert train(arguments) == 2
    _one_line(capsys)
    assert os.listdir(tmp_path) == []


def test_a_pipe_or_a_huge_file_as_a_config_is_refused(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(10**10)
    for name, message in (
        ("pipe", "no regular file"),
        ("huge", "10,000,000,000 bytes"),
        (".", "no regular file"),
    ):
        assert train(["--config", str(tmp_path / name), "--log-dir", str(tmp_path / "a")]) == 2
        assert message in _one_line(capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "start=../../../../escaped,y"], "folders"),
        (["--set", "start=" + "a" * 300 + ",b"], "folders"),
        (["--env", "../x"], "--env must be a name"),
        (["--relabelers", "../x"], "--relabelers must be a name"),
        (["--set", "relabel_fraction=7"], "between 0 and 1"),
        (["--set", "start=caged"], "start"),
        (["--set", "renderer=x"], "renderer"),
        (["--set", "obs_dim=5"], "obs_dim"),
        (["--set", "relabel_into=x"], "relabel_into"),
        (["--set", "stale_context=x"], "stale_context"),
        (["--set", "sparse_rewards=true"], "has none"),
        (["--set", "relabel_params.precision=half"], "precision"),
        (["--set", "pixel_encoder=conv"], "pixel_encoder"),
        (["--set", "rewards=mine"], "rewards"),
        (["--set", "task_seed=1,-1"], "task_seed"),
        (["--env", "sawyer-push", "--set", "start=nowhere"], "start"),
        (["--seeds", "9" * 25], "--seeds"),
        (["--seeds", "1" + "0" * 400], "--seeds"),
        (["--hours", "nan"], "--hours"),
        (["--hours", "-1"], "--hours"),
    ],
)
def test_a_comparison_refuses_what_its_runs_would_before_it_starts_one(tmp_path, capsys, arguments, message):
    where = tmp_path / "deep" / "runs"
    given = arguments if "--env" in arguments else ["--env", "point-robot", *arguments]
    assert compare([*given, "--preset", "quick", "--log-dir", str(where)]) == 2
    assert message in _one_line(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("option", "package"), [("--ray", "ray"), ("--slurm", "submitit")])
def test_a_missing_package_leaves_no_folder(tmp_path, capsys, monkeypatch, option, package):
    monkeypatch.setitem(sys.modules, package, None)
    arguments = ["--env", "point-robot", "--preset", "quick", option, "local"]
    assert compare([*arguments, "--log-dir", str(tmp_path / "a" / "b")]) == 2
    assert f"needs the package {package}" in _one_line(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["[1]", "{", '{"commands": 5}', '{"commands": [1]}', "null", "[" * 9999])
def test_a_record_of_comparisons_that_is_none_is_refused(tmp_path, capsys, content):
    (tmp_path / "compare.json").write_text(content)
    assert compare(["--env", "point-robot", "--preset", "quick", "--log-dir", str(tmp_path)]) == 2
    assert "compare.json" in _one_line(capsys)
    assert os.listdir(tmp_path) == ["compare.json"]


@pytest.mark.parametrize("setting", ["qf_lr=1e300", "n_train_tasks=2", "relabeler=none", "num_iterations=x"])
def test_the_didactic_example_refuses_what_it_can_not_explain(tmp_path, capsys, setting):
    assert four_corners(["--train", "--set", setting, "--output", str(tmp_path / "a")]) == 2
    _one_line(capsys)
    assert list(tmp_path.iterdir()) == []


def test_every_preset_passes(capsys):
    for name in ENVIRONMENTS:
        for preset in ("paper", "quick"):
            check_settings(build_variant(name, "hfr", preset, None, [], 2**32 - 1))


@pytest.mark.parametrize("seconds", [0.15, 0.4, 0.9, 1.6])
def test_an_interrupt_amid_imports_is_one_line(tmp_path, seconds):
    """From the moment that Python hands over to the program."""
    code = f"""
import signal, sys
from rlkit_hfr.signals import exit_on_interrupt
exit_on_interrupt()
signal.setitimer(signal.ITIMER_REAL, {seconds} / 4)
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
from rlkit_hfr.cli import main
sys.exit(main(["train", "--env", "sawyer-push", "--log-dir", {str(tmp_path / "a")!r}, "--dry-run"]))
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (130, "Interrupted.\n")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_a_run_begins_leaves_no_folder(tmp_path, monkeypatch, capsys):
    from rlkit_hfr.cli import main
    from rlkit_hfr.experiments.runs import carried

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(carried, "save_checkpoint", interrupted)
    assert (
        main(["train", "--env", "point-robot", "--preset", "quick", "--run-dir", str(tmp_path / "a")]) == 130
    )
    assert capsys.readouterr().err == "Interrupted.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["train", "--help"],
        ["train", "--env", "point-robot", "--dry-run"],
        [
            "train",
            "--env",
            "point-robot",
            "--preset",
            "quick",
            "--set",
            "num_train_steps_per_itr=1",
            "--log-dir",
            "{tmp}",
        ],
    ],
)
def test_a_closed_pipe_is_silence(tmp_path, arguments):
    read, write = os.pipe()
    os.close(read)
    command = [
        sys.executable,
        "-m",
        "rlkit_hfr",
        *(part.replace("{tmp}", str(tmp_path)) for part in arguments),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    _, err = process.communicate(timeout=120)
    assert err == ""
    assert process.returncode in (0, 141)  # argparse itself is silent where stdout is not buffered
