"""What the command line of `train` asks for."""

from __future__ import annotations

import pytest

from rlkit_hfr.experiments.commands.train import parser
from rlkit_hfr.experiments.runs.training import _new_folder, _variant, _writers


def _args(*words):
    return parser().parse_args(["--env", "point-robot", "--preset", "quick", *words])


def test_rows_go_into_the_csv_file_first_and_each_place_once():
    assert _writers(_args()) is None
    assert _writers(_args("--tensorboard")) == ["csv", "tensorboard"]
    assert _writers(_args("--log", "jsonl", "csv", "tensorboard", "--tensorboard")) == [
        "csv",
        "jsonl",
        "tensorboard",
    ]


def test_options_become_settings():
    variant = _variant(_args("--precision", "bf16", "--snapshot-gap", "4", "--seed", "5"))
    assert [variant[part]["precision"] for part in ("algo_params", "relabel_params")] == ["bf16", "bf16"]
    assert variant["snapshots"] == {"snapshot_mode": "last", "snapshot_gap": 4}
    assert variant["log"] == ["csv"]
    assert variant["seed"] == 5
    assert _variant(_args("--algorithm", "mier"))["algorithm"] == "mier"
    # --set is the last word
    assert _variant(_args("--algorithm", "mier", "--set", "algorithm=pearl"))["algorithm"] == "pearl"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seed", "-1"], "--seed must be zero or more, got -1"),
        (
            ["--algorithm", "mier", "--host", "oyster"],
            "--host oyster runs its own PEARL, got algorithm 'mier'",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(words, message):
    with pytest.raises(ValueError, match=message):
        _variant(_args(*words))


def test_a_runs_folder_is_named_by_what_it_runs_or_as_it_is_said(tmp_path):
    for words, start in (
        ((), "point-robot-hfr/"),
        (("--algorithm", "mier", "--relabeler", "none"), "point-robot-mier-none/"),
    ):
        args = _args("--log-dir", str(tmp_path), *words)
        above, make = _new_folder(args, _variant(args))
        folder = make()
        assert folder.is_dir()
        assert folder.parent == above
        assert f"{folder.relative_to(tmp_path)}".startswith(start)
    args = _args("--run-dir", str(tmp_path / "mine" / "own"))
    folder, make = _new_folder(args, _variant(args))
    assert not folder.exists()
    assert make() == folder == tmp_path / "mine" / "own"
    assert folder.is_dir()
