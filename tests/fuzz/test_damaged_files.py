"""Files of runs with something wrong in them: bits, cuts, parts that are missing or too
many. A run goes on as it would have, or it is refused and nothing is touched.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from fuzzing import (
    contents,
    damaged,
    edited,
    examples,
    run,
    run_in,
    texts,
    with_another_part,
    world,
)
from hypothesis import given
from hypothesis import strategies as st

from rlkit_hfr.experiments.analysis import drawing
from rlkit_hfr.experiments.pictures import adaptation
from rlkit_hfr.files import load_sealed, save_sealed

CHECKPOINT = "checkpoint.pt"


def _rows(folder: Path) -> list[list[str]]:
    """progress.csv without what depends on the clock."""
    lines = [line.split(",") for line in (folder / "progress.csv").read_text().splitlines()]
    kept = [i for i, name in enumerate(lines[0]) if "(s)" not in name and "share of time" not in name]
    return [[line[i] for i in kept] for line in lines]


def _copy(original: Path, folder: Path) -> Path:
    return Path(shutil.copytree(original, folder / "run"))


def _resumes(folder: Path, originals: Path) -> None:
    """Refused, and as it was before; or finished, with the rows that it would have had."""
    outcome = run_in(folder, "train", ["--resume", "run"], writes="run")
    if outcome.code == 0:
        assert _rows(folder / "run") == _rows(originals / "finished")


@examples(60)
@given(data=st.data())
def test_a_sealed_file_is_whole_or_refused(originals, data):
    name = data.draw(st.sampled_from([CHECKPOINT, "params.pkl"]))
    whole = (originals / "stopped" / name).read_bytes()
    changed = data.draw(damaged(whole))
    with world() as folder:
        (folder / "file").write_bytes(changed)
        if changed == whole:
            load_sealed(folder / "file")
        else:
            with pytest.raises(ValueError):
                load_sealed(folder / "file")


@examples(12)
@given(data=st.data())
def test_damaged_files_of_a_run_that_goes_on(originals, data):
    which = data.draw(st.sampled_from(["stopped", "stopped", "finished"]))
    names = ["variant.json", "progress.csv", CHECKPOINT if which == "stopped" else "finished.sha256"]
    name = data.draw(st.sampled_from(names))
    with world() as folder:
        file = _copy(originals / which, folder) / name
        file.write_bytes(data.draw(damaged(file.read_bytes())))
        _resumes(folder, originals)


@examples(12)
@given(data=st.data())
def test_edited_settings_of_a_run_that_goes_on(originals, data):
    with world() as folder:
        file = _copy(originals / data.draw(st.sampled_from(["stopped", "finished"])), folder) / "variant.json"
        file.write_text(json.dumps(data.draw(edited(json.loads(file.read_text())))))
        _resumes(folder, originals)


@examples(20)
@given(data=st.data())
def test_checkpoints_of_other_parts(originals, data):
    """What is under a checksum is what was written; here somebody wrote something else. What
    fits is taken, so that rows may differ.
    """
    with world() as folder:
        file = _copy(originals / "stopped", folder) / CHECKPOINT
        content = torch.load(file, weights_only=True)
        changed = data.draw(with_another_part(content))
        save_sealed(file, changed if isinstance(changed, dict) else {"format": 2, "other": changed})
        run_in(folder, "train", ["--resume", "run"], writes="run", may_fail=True)


@examples(10)
@given(data=st.data())
def test_other_files_in_the_folder_of_a_run(originals, data):
    with world() as folder:
        place = _copy(originals / "stopped", folder)
        halves = {"lock", ".checkpoint.pt.0123abcd.partial", ".variant.json.0123abcd.partial"}
        odd = data.draw(
            st.sampled_from(["notes.txt", "itr_9.pkl", "checkpoint.tmp", "variant.tmp", *sorted(halves)])
        )
        (place / odd).write_bytes(data.draw(st.binary(max_size=20)))
        before = contents(place)
        _resumes(folder, originals)
        assert odd in halves or contents(place)[odd] == before[odd]


@examples(12)
@given(data=st.data())
def test_what_watch_is_given(originals, data):
    kept = adaptation._picture
    adaptation._picture = lambda *parts: parts[-1].write_bytes(b"a picture")
    try:
        with world() as folder:
            place = _copy(originals / "finished", folder)
            name = data.draw(st.sampled_from(["variant.json", "params.pkl", None]))
            if name is not None:
                (place / name).write_bytes(data.draw(damaged((place / name).read_bytes())))
            snapshot = data.draw(st.one_of(st.just("params.pkl"), st.just("progress.csv"), texts))
            task = data.draw(st.one_of(st.integers(-1, 3).map(str), texts))
            seed = data.draw(st.one_of(st.sampled_from(["0", "-1", str(2**64)]), texts))
            arguments = ["--run", "run", f"--task={task}", f"--snapshot={snapshot}", f"--seed={seed}"]
            run_in(folder, "watch", arguments, writes="run")
    finally:
        adaptation._picture = kept


@examples(5)
@given(data=st.data())
def test_what_plot_is_given(originals, data):
    """Anything beside one run that is whole: the report is always made."""

    def save(figure, stem):
        drawing.plt.close(figure)
        stem.with_suffix(".png").write_bytes(b"a picture")
        return stem.with_suffix(".png")

    kept, drawing.save = drawing.save, save
    try:
        with world() as folder:
            shutil.copytree(originals / "finished", folder / "runs" / "good")
            bad = Path(shutil.copytree(originals / "finished", folder / "runs" / "bad"))
            name = data.draw(
                st.sampled_from(["variant.json", "progress.csv", "npz", "compare.json", "edited"])
            )
            if name == "edited":
                content = data.draw(edited(json.loads((bad / "variant.json").read_text())))
                (bad / "variant.json").write_text(json.dumps(content))
            elif name == "compare.json":
                (folder / "runs" / name).write_bytes(data.draw(damaged(b'{"commands": ["a", "b"]}')))
            else:
                file = bad / name if name != "npz" else sorted((bad / "relabeling").iterdir())[0]
                file.write_bytes(data.draw(damaged(file.read_bytes())))
            outcome = run_in(folder, "plot", ["runs", "--out", "report"], writes="report")
            assert outcome.code == 0
            assert all(line.startswith("warning: left out ") for line in outcome.err.splitlines()), (
                outcome.err
            )
            page = (folder / "report" / "report.html").read_text()
            assert "point-robot" in page
            assert "<script" not in page
    finally:
        drawing.save = kept


@examples(12)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [["--last", "0"], ["--smooth", "-1"], ["--statistic", "mean"], ["--last", "9" * 30]]
            ),
            texts.map(lambda text: [text]),
            texts.map(lambda text: ["--last", text]),
        ),
        max_size=3,
    )
)
def test_the_command_line_of_plot(lists):
    """Nothing of what it names is there."""
    with world() as folder:
        run_in(folder, "plot", ["nowhere", *(part for one in lists for part in one), "--out", "report"])


def test_the_runs_that_are_damaged_are_whole(originals):
    with world() as folder:
        _copy(originals / "stopped", folder)
        assert run("train", ["--resume", "run"]).code == 0
        assert _rows(folder / "run") == _rows(originals / "finished")
        assert np.load(next((folder / "run" / "relabeling").iterdir()))["tasks"].shape == (3,)
