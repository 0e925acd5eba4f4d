"""rlkit's log files, in rlkit's formats."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
import torch
from file_contents import contents

from rlkit_hfr.pearl.logger import create_log_dir, logger, setup_logger, stats_ordered_dict


def test_progress_csv_has_one_header_and_a_row_per_dump(tmp_path):
    setup_logger(tmp_path, {"env_name": "x"})
    for epoch in range(3):
        logger.push_prefix(f"Iteration #{epoch} | ")
        logger.record_tabular("b", np.float32(0.5))
        logger.record_tabular("a", torch.tensor(2))
        logger.record_tabular("c", math.nan)
        assert logger.dump_tabular() == pytest.approx({"b": 0.5, "a": 2, "c": math.nan}, nan_ok=True)
        logger.pop_prefix()
    raw = (tmp_path / "progress.csv").read_bytes()
    assert raw.startswith(b"b,a,c\r\n0.5,2,nan\r\n")
    assert len(list(csv.DictReader(raw.decode().splitlines()))) == 3
    assert "Iteration #2 | " in (tmp_path / "debug.log").read_text()


def test_changed_columns_are_an_error_and_never_a_shifted_row(tmp_path):
    setup_logger(tmp_path, {})
    logger.record_dict({"a": 1, "b": 2})
    logger.dump_tabular()
    logger.record_dict({"b": 3, "a": 4})  # another order is put right
    logger.dump_tabular()
    assert (tmp_path / "progress.csv").read_text().splitlines()[2] == "4,3"
    logger.record_dict({"a": 1, "late": 2})
    with pytest.raises(ValueError, match="b, late"):
        logger.dump_tabular()


def test_variant_is_plain_json(tmp_path):
    setup_logger(tmp_path, {"b": 1, "a": {"x": None}})
    assert json.loads((tmp_path / "variant.json").read_text()) == {"a": {"x": None}, "b": 1}
    with pytest.raises(ValueError):
        setup_logger(tmp_path, {"a": math.inf})


def test_runs_of_the_same_second_get_their_own_folders(tmp_path):
    folders = {create_log_dir(tmp_path, "sawyer_push", 3) for _ in range(5)}
    assert len(folders) == 5
    for folder in folders:
        assert folder.parent == tmp_path / "sawyer-push"
        assert folder.name.startswith("sawyer_push_")
        assert folder.name.endswith("--s-3")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("all", {"itr_-1", "itr_0", "itr_1", "itr_2"}),
        ("last", {"params"}),
        ("gap", {"itr_0", "itr_2"}),
        ("gap_and_last", {"itr_0", "itr_2", "params"}),
        ("none", set()),
    ],
)
def test_snapshot_modes_are_rlkits(tmp_path, mode, expected):
    setup_logger(tmp_path, {}, mode, 2)
    for itr in (-1, 0, 1, 2):
        logger.save_itr_params(itr, {"epoch": itr, "weight": torch.ones(2)})
    assert {path.stem for path in tmp_path.glob("*.pkl")} == expected
    if "params" in expected:
        assert torch.load(tmp_path / "params.pkl", weights_only=True)["epoch"] == 2
    assert not list(tmp_path.glob("*.tmp"))


def test_unknown_snapshot_mode_is_refused(tmp_path):
    with pytest.raises(ValueError, match="gap_and_last"):
        setup_logger(tmp_path, {}, "sometimes")


def test_statistics_have_rlkits_names():
    assert stats_ordered_dict("Q", [1.0, 3.0]) == {"Q Mean": 2.0, "Q Std": 1.0, "Q Max": 3.0, "Q Min": 1.0}
    assert math.isnan(stats_ordered_dict("Q", [])["Q Mean"])


def test_a_state_of_the_logger_is_checked_before_anything_is_cut(tmp_path):
    logger.set_snapshot_dir(tmp_path)
    logger.record_tabular("Epoch", 0)
    logger.dump_tabular()
    state = logger.state_dict()
    logger.log("later")
    before = contents(tmp_path)
    for wrong in (
        {"progress_size": 10**6},
        {"progress_sha256": "0"},
        {"debug_size": -1},
        {"columns": "Epoch"},
    ):
        with pytest.raises(ValueError):
            logger.load_state_dict({**state, **wrong})
        assert contents(tmp_path) == before
