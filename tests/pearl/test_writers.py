"""Every log writer has the rows of progress.csv, once each, also after a kill."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import types

import pytest
from tiny_runs import assignments, options

from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.runs import carried
from rlkit_hfr.experiments.runs.foreign import copy_rows
from rlkit_hfr.experiments.runs.journal import rows_written
from rlkit_hfr.pearl import writers
from rlkit_hfr.pearl.logger import logger, reopen_logger, setup_logger
from rlkit_hfr.pearl.writers import (
    ROW_WRITERS,
    RowWriter,
    make_row_writers,
    read_rows,
    tag,
)

RUN = ["--env", "point-robot", "--preset", "quick", *options(assignments(num_iterations=4))]


def _row(epoch: int) -> dict[str, float]:
    return {
        "QF Loss": epoch / 4,
        "relabel/entropy": math.nan,
        writers.STEPS: 100 * (epoch + 1),
        "Epoch": epoch,
    }


def _log(*epochs: int) -> None:
    for epoch in epochs:
        logger.record_dict(_row(epoch))
        logger.dump_tabular()


def _lines(folder):
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        ("QF Loss", "updates/QF Loss"),
        ("AverageReturn_all_test_tasks", "evaluation/AverageReturn_all_test_tasks"),
        ("SuccessRate_all_test_tasks", "evaluation/SuccessRate_all_test_tasks"),
        ("Train Time (s)", "time/Train Time (s)"),
        ("Number of env steps total", "progress/Number of env steps total"),
        ("Epoch", "progress/Epoch"),
        ("relabel/entropy", "relabel/entropy"),
        ("test/trajectory 1 return", "test/trajectory 1 return"),
    ],
)
def test_columns_are_shown_in_groups(column, shown):
    assert tag(column) == shown


def test_csv_is_always_written_and_is_no_copy():
    assert make_row_writers(["csv"]) == []
    assert [writer.name for writer in make_row_writers(["jsonl", "csv", "jsonl"])] == ["jsonl"]
    assert all(issubclass(cls, RowWriter) for cls in ROW_WRITERS.values())


def test_an_unknown_writer_is_told_the_known():
    with pytest.raises(ValueError, match="unknown log writer 'json' .did you mean 'jsonl'"):
        make_row_writers(["json"])


def test_json_lines_have_every_row_and_null_for_nan(tmp_path):
    setup_logger(tmp_path, {})
    logger.open_writers(make_row_writers(["jsonl"]), {})
    _log(0, 1)
    assert _lines(tmp_path) == [
        {
            "QF Loss": epoch / 4,
            "relabel/entropy": None,
            "Number of env steps total": 100 * (epoch + 1),
            "Epoch": epoch,
        }
        for epoch in (0, 1)
    ]


@pytest.mark.parametrize("names", [["jsonl"], []], ids=["from the start", "from the resumption"])
def test_a_row_behind_the_checkpoint_is_dropped_and_written_again(tmp_path, names):
    setup_logger(tmp_path, {})
    logger.open_writers(make_row_writers(names), {})
    _log(0, 1)
    state = logger.state_dict()
    _log(2)
    reopen_logger(tmp_path)
    logger.load_state_dict(state)
    logger.open_writers(make_row_writers(["jsonl"]), {})
    assert [line["Epoch"] for line in _lines(tmp_path)] == [0, 1]
    _log(2, 3)
    assert [line["Epoch"] for line in _lines(tmp_path)] == [0, 1, 2, 3]
    assert [row["Epoch"] for row in read_rows(tmp_path / "progress.csv")] == [0, 1, 2, 3]


def test_a_run_that_is_killed_between_row_and_checkpoint_has_every_row_once(tmp_path):
    """The resumed run goes on with the writers that it was started with."""
    run = tmp_path / "run"
    child = os.fork()
    if child == 0:
        save = carried.save_checkpoint

        def die_with_the_third_row(*arguments):
            if rows_written(run) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            save(*arguments)

        carried.save_checkpoint = die_with_the_third_row
        main([*RUN, "--log", "jsonl", "--run-dir", str(run)])
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert len(_lines(run)) == 3
    assert main(["--resume", str(run)]) == 0
    assert [line["Epoch"] for line in _lines(run)] == [0, 1, 2, 3]
    rows = read_rows(run / "progress.csv")
    assert [line["QF Loss"] for line in _lines(run)] == [row["QF Loss"] for row in rows]


def test_the_choice_is_recorded(tmp_path):
    run = tmp_path / "run"
    assert main([*RUN, "--run-dir", str(run), "--set", "num_iterations=1"]) == 0
    variant = json.loads((run / "variant.json").read_text())
    assert variant["log"] == ["csv"]
    assert not (run / "progress.jsonl").exists()
    variant["algo_params"]["num_iterations"] = 1
    other = tmp_path / "other"
    assert main([*RUN, "--log", "csv", "jsonl", "--run-dir", str(other), "--set", "num_iterations=1"]) == 0
    assert json.loads((other / "variant.json").read_text())["log"] == ["csv", "jsonl"]
    assert len(_lines(other)) == 1


def test_a_hosts_logger_is_copied_too():
    """oyster's logger is a module of functions with a table of pairs of strings."""
    dumped, copied = [], []
    host = types.SimpleNamespace(
        get_table_dict=lambda: {"QF Loss": "0.5", "Epoch": "3", "odd": "text"},
        dump_tabular=lambda **options: dumped.append(options),
    )

    class Copy(RowWriter):
        def open(self, folder, settings, earlier): ...

        def write(self, row):
            copied.append(row)

    copy_rows(host, [Copy()])
    host.dump_tabular(with_prefix=False)
    assert dumped == [{"with_prefix": False}]
    assert copied == [{"QF Loss": 0.5, "Epoch": 3, "odd": pytest.approx(math.nan, nan_ok=True)}]


@pytest.mark.parametrize("option", [["--log", "tensorboard"], ["--tensorboard"]])
def test_without_tensorboard_its_package_is_named(tmp_path, capsys, monkeypatch, option):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert main([*RUN, *option, "--log-dir", str(tmp_path)]) == 2
    assert "--log tensorboard needs the package tensorboard; run: pip install" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_wandb_its_package_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert main([*RUN, "--log", "wandb", "--log-dir", str(tmp_path)]) == 2
    assert "pip install wandb" in capsys.readouterr().err


def test_wandb_that_refuses_is_one_line(tmp_path, monkeypatch):
    def refuse(**options):
        raise RuntimeError("api_key not configured\nlong story")

    module = types.SimpleNamespace(init=refuse, Settings=dict)
    monkeypatch.setitem(sys.modules, "wandb", module)
    setup_logger(tmp_path, {})
    with pytest.raises(ValueError, match="api_key not configured; run `wandb login`, or set WANDB_MODE"):
        logger.open_writers(make_row_writers(["wandb"]), {})


def test_wandb_gets_groups_and_one_run_over_both_parts(tmp_path, monkeypatch):
    """Of a stand-in: what is logged, at which step, and by which id the run goes on."""
    logged, begun = [], []

    def init(**options):
        begun.append(options)
        return types.SimpleNamespace(
            id=options["id"],
            define_metric=lambda *args, **kwargs: None,
            log=lambda row, step: logged.append((step, row)),
            finish=lambda: logged.append("finished"),
        )

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init, Settings=dict))
    settings = {"env_name": "point-robot", "relabeler": "hfr", "seed": 3}
    setup_logger(tmp_path, settings)
    logger.open_writers(make_row_writers(["wandb"]), settings)
    _log(0, 1)
    state = logger.state_dict()
    reopen_logger(tmp_path)
    assert logged[-1] == "finished"
    logger.load_state_dict(state)
    logger.open_writers(make_row_writers(["wandb"]), settings)
    _log(2)
    assert begun[0]["id"] == begun[1]["id"]
    assert begun[0]["name"] == "point-robot hfr seed 3"
    assert begun[0]["config"] == settings
    rows = [item for item in logged if item != "finished"]
    assert [step for step, _ in rows] == [0, 1, 2]
    assert rows[2][1] == {
        "updates/QF Loss": 0.5,
        "progress/Number of env steps total": 300,
        "progress/Epoch": 2,
    }


def test_wandb_offline_writes_a_run(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="Weights & Biases is not installed: pip install wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = tmp_path / "run"
    assert main([*RUN, "--log", "wandb", "--run-dir", str(run), "--set", "num_iterations=1"]) == 0
    (recorded,) = (run / "wandb").glob("offline-run-*/*.wandb")
    assert (run / "wandb" / "id").read_text() in recorded.name
    assert recorded.stat().st_size > 0


def test_tensorboard_has_every_row_once_over_both_parts(tmp_path):
    pytest.importorskip(
        "tensorboard", reason="TensorBoard is not installed: pip install 'rlkit-hfr[tensorboard]'"
    )
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    setup_logger(tmp_path, {})
    logger.open_writers(make_row_writers(["tensorboard"]), {})
    _log(0, 1)
    state = logger.state_dict()
    _log(2)
    reopen_logger(tmp_path)
    logger.load_state_dict(state)
    logger.open_writers(make_row_writers(["tensorboard"]), {})
    _log(2, 3)
    logger.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    scalars = events.Scalars("updates/QF_Loss")
    assert [event.step for event in scalars] == [100, 200, 300, 400]
    assert [event.value for event in scalars] == [0.0, 0.25, 0.5, 0.75]
