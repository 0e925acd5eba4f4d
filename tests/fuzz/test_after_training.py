"""What is done with a trained run, `extrapolate` and `hipi-bc`: their command lines, and runs and studies
with something wrong in them. They end as they would have, or refuse and touch nothing.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzzing import (
    choice_for,
    contents,
    damaged,
    edited,
    examples,
    number_for,
    numbers,
    place_for,
    plain,
    run_in,
    settings_of,
    some,
    texts,
    tiny_arguments,
    values,
    whole,
    with_another_part,
    world,
)
from hypothesis import given
from hypothesis import strategies as st

from rlkit_hfr import RELABELERS
from rlkit_hfr.experiments.cloning import study as studies
from rlkit_hfr.experiments.cloning.labels import REFERENCES
from rlkit_hfr.experiments.cloning.learner import CloningSettings, clone
from rlkit_hfr.experiments.runs.checkpoint import NAME
from rlkit_hfr.files import save_sealed
from rlkit_hfr.mier.config import ExtrapolationConfig
from rlkit_hfr.relabelers import relabeler_options
from rlkit_hfr.relabelers.normalisers import NORMALISERS

ADAPTATION = {
    "trajectories": 1,
    "model_steps": 2,
    "policy_updates": 3,
    "relabel_every": 2,
    "relabeled_rows": 20,
    "source_tasks": 2,
    "batch_size": 8,
    "eval_every": 2,
    "eval_trajectories": 1,
}
FIELDS = [field.name for field in dataclasses.fields(ExtrapolationConfig)]
OPTIONS = sorted({option for cls in RELABELERS.values() for option in relabeler_options(cls)})
STUDY = ["--env", "sparse-point-robot", "--seeds", "1", "--demonstrations", "6", "--episodes", "2",
         "--set", "n_train_tasks=3", "--set", "n_eval_tasks=2", "--labellers", "return", "true"]  # fmt: skip


def _wholes(option: str) -> st.SearchStrategy[list[str]]:
    return st.one_of(whole, whole, numbers).map(lambda value: [option, str(value)])


def _pairs(option: str, names: list[str]) -> st.SearchStrategy[list[str]]:
    keys = st.one_of(st.sampled_from(names), st.sampled_from(names), texts)
    given_settings = st.dictionaries(keys, st.one_of(plain, values), min_size=1, max_size=2)
    return given_settings.map(
        lambda chosen: [option if part == "--set" else part for part in settings_of(chosen)]
    )


@pytest.fixture(scope="session")
def trained(originals) -> Path:
    """Beside the originals a MIER that was stopped, what adapting it gives, and a study."""
    with world() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "clone", _quick_clone)
        mier = [*tiny_arguments(), "--algorithm", "mier", "--set", "num_iterations=1"]
        run_in(folder, "train", [*mier, "--run-dir", "mier", "--keep-checkpoint"], writes="mier")
        _adapted(folder, "mier")
        run_in(folder, "hipi-bc", [*STUDY, "--output", "study"], writes="study")
        for name in ("mier", "study"):
            shutil.move(folder / name, originals / name)
        shutil.move(folder / "out.csv", originals / "adapted.csv")
    return originals


def _quick_clone(labelled: Any, vectors: Any, seed: int, settings: CloningSettings) -> Any:
    return clone(labelled, vectors, seed, dataclasses.replace(settings, hidden_size=4, max_epochs=1))


def _adapted(folder: Path, place: str, *arguments: str, may_fail: bool = False) -> bytes | None:
    """What `extrapolate` writes, None where it refuses. It writes nothing else."""
    given_arguments = [*settings_of(ADAPTATION), "--run", place, "--out", "out.csv", *arguments]
    outcome = run_in(folder, "extrapolate", given_arguments, writes="out.csv", may_fail=may_fail)
    return (folder / "out.csv").read_bytes() if outcome.code == 0 else None


EXTRAPOLATE = some(
    _wholes("--tasks"),
    _wholes("--seed"),
    _pairs("--set", FIELDS),
    _pairs("--set", FIELDS),
    texts.map(lambda text: ["--out", f"out/{text}" if ".." not in text else "out"]),
    place_for("--run"),
    st.sampled_from([["--help"], ["--nothing"], ["--out", "run/variant.json"], ["--out", "nowhere/a.csv"]]),
    st.lists(texts, max_size=1),
)


@examples(12)
@given(EXTRAPOLATE)
def test_the_command_line_of_extrapolate(trained, arguments):
    with world() as folder:
        shutil.copytree(trained / "mier", folder / "run")
        (folder / "out").mkdir()
        before = contents(folder / "run")
        small = settings_of(ADAPTATION)
        place = [] if "--out" in arguments else ["--out", "out/rows.csv"]
        run_in(folder, "extrapolate", ["--run", "run", *place, *small, *arguments], "out", may_fail=True)
        assert contents(folder / "run") == before


@examples(4)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "trajectories": st.integers(1, 3),
            "adapt_steps": st.sampled_from([0, 1, 60]),
            "model_steps": st.integers(0, 5),
            "policy_updates": st.integers(0, 4),
            "relabel": st.booleans(),
            "relabel_every": st.integers(1, 5),
            "relabeled_rows": st.sampled_from([1, 2, 500]),
            "source_tasks": st.sampled_from([1, 3, 10**9]),
            "real_share": st.sampled_from([0.0, 0.05, 0.5, 1.0]),
            "batch_size": st.sampled_from([1, 2, 300]),
            "eval_every": st.integers(1, 5),
        },
    ),
    st.integers(1, 2),
    st.sampled_from([0, 1, 2**32 - 1]),
)
def test_an_adaptation_ends_with_figures_or_says_why_not(trained, settings, tasks, seed):
    with world() as folder:
        shutil.copytree(trained / "mier", folder / "run")
        given_arguments = [*settings_of(settings), "--tasks", str(tasks), "--seed", str(seed)]
        written = _adapted(folder, "run", *given_arguments, may_fail=True)
        if written is not None:
            rows = list(csv.DictReader(written.decode().splitlines()))
            assert len({row["task"] for row in rows}) == tasks
            assert all(math.isfinite(float(row[key])) for row in rows for key in ("return", "model loss"))
            chosen = {**ADAPTATION, **settings}
            assert {int(row["updates"]) for row in rows} == {
                0, chosen["policy_updates"], *range(0, chosen["policy_updates"], chosen["eval_every"])
            }  # fmt: skip


@examples(5)
@given(data=st.data())
def test_damaged_files_of_a_run_that_is_adapted(trained, data):
    """What is read is whole, or it is refused; what is not read does not matter."""
    with world() as folder:
        shutil.copytree(trained / "mier", folder / "run")
        for _ in range(data.draw(st.integers(1, 2))):
            file = (
                folder
                / "run"
                / data.draw(st.sampled_from(["variant.json", "progress.csv", NAME, "params.pkl"]))
            )
            if data.draw(st.integers(0, 4)) == 0:
                file.unlink(missing_ok=True)
            elif file.exists():
                file.write_bytes(data.draw(damaged(file.read_bytes())))
        assert _adapted(folder, "run") in (None, (trained / "adapted.csv").read_bytes())


@examples(6)
@given(data=st.data())
def test_single_bits_of_a_run_that_is_adapted(trained, data):
    with world() as folder:
        shutil.copytree(trained / "mier", folder / "run")
        file = folder / "run" / data.draw(st.sampled_from([NAME, NAME, "variant.json", "progress.csv"]))
        content = bytearray(file.read_bytes())
        bit = data.draw(st.integers(0, 8 * len(content) - 1))
        content[bit // 8] ^= 1 << bit % 8
        file.write_bytes(content)
        assert _adapted(folder, "run") is None


@examples(4)
@given(data=st.data())
def test_other_parts_and_settings_of_a_run_that_is_adapted(trained, data):
    """A checkpoint that somebody made is refused, or taken where it fits; edited settings are not those
    that the checkpoint was written with.
    """
    with world() as folder:
        place = Path(shutil.copytree(trained / "mier", folder / "run"))
        if data.draw(st.booleans()):
            content = torch.load(place / NAME, weights_only=True)
            changed = data.draw(with_another_part(content))
            save_sealed(place / NAME, changed if isinstance(changed, dict) else {"format": 2, "a": changed})
            _adapted(folder, "run", may_fail=True)
        else:
            variant = json.loads((place / "variant.json").read_text())
            changed = data.draw(edited(variant))
            (place / "variant.json").write_text(json.dumps(changed))
            assert (_adapted(folder, "run") is None) or changed == variant


CLONE = some(
    choice_for("--env", ["point-robot", "sparse-point-robot", "four-corners", "sawyer-reach"]),
    st.lists(st.one_of(st.sampled_from([*RELABELERS, *REFERENCES]), texts), min_size=1, max_size=3).map(
        lambda names: ["--labellers", *names]
    ),
    _pairs("--option", OPTIONS),
    _pairs("--set", ["n_train_tasks", "n_eval_tasks", "max_path_length", "n_tasks", "net_size"]),
    _wholes("--seeds"),
    _wholes("--demonstrations"),
    _wholes("--episodes"),
    number_for("--noise"),
    texts.map(lambda text: ["--output", f"out/{text}" if ".." not in text else "out"]),
    place_for("--run"),
    st.sampled_from([["--help"], ["--nothing"], ["--run", "run"]]),
)


@examples(12)
@given(CLONE)
def test_the_command_line_of_hipi_bc(trained, arguments):
    with world() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "clone", _quick_clone)
        (folder / "run").symlink_to(trained / "finished")
        before = contents(trained / "finished")
        small = [part for part in STUDY if "--run" not in arguments or part not in STUDY[:2] + STUDY[8:12]]
        place = [] if "--output" in arguments else ["--output", "out"]
        run_in(folder, "hipi-bc", [*small, *place, *arguments], writes="out")
        assert contents(trained / "finished") == before


@examples(6)
@given(
    st.sampled_from(["point-robot", "sparse-point-robot"]),
    st.lists(st.sampled_from([*RELABELERS, *REFERENCES]), min_size=1, max_size=2),
    st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.sampled_from([0, 0.1, 100]),
            "normaliser": st.sampled_from(NORMALISERS),
            "num_partition_samples": st.integers(1, 30),
            "threshold": st.sampled_from([-1.0, 0.5]),
        },
    ),
    st.booleans(),
    st.integers(1, 4),
)
def test_a_study_ends_with_its_table_or_says_why_not(trained, env, labellers, options, of_agent, number):
    with world() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "clone", _quick_clone)
        (folder / "run").symlink_to(trained / "finished")
        shown = ["--run", "run"] if of_agent else ["--env", env, "--set", "n_train_tasks=3"]
        known = {
            key for name in labellers if name in RELABELERS for key in relabeler_options(RELABELERS[name])
        }
        own = settings_of({key: value for key, value in options.items() if key in known})
        chosen = ["--option" if part == "--set" else part for part in own]
        small = ["--seeds", "1", "--demonstrations", str(number), "--episodes", "2", "--output", "out"]
        arguments = [*shown, "--labellers", *labellers, *chosen, *small]
        outcome = run_in(folder, "hipi-bc", arguments, writes="out")
        if outcome.code == 0:
            lines = (folder / "out" / "table.md").read_text().splitlines()
            assert {line.split("`")[1] for line in lines[2:]} == set(labellers)


@examples(6)
@given(data=st.data())
def test_damaged_files_of_a_study_that_goes_on(trained, data):
    with world() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "clone", _quick_clone)
        place = Path(shutil.copytree(trained / "study", folder / "study"))
        file = place / data.draw(st.sampled_from(sorted(contents(place))))
        if data.draw(st.integers(0, 3)) == 0:
            file.unlink()
        else:
            file.write_bytes(data.draw(damaged(file.read_bytes())))
        outcome = run_in(folder, "hipi-bc", [*STUDY, "--output", "study"], writes="study")
        if outcome.code == 0:
            assert contents(place) == contents(trained / "study")


@examples(6)
@given(data=st.data())
def test_damaged_runs_whose_agent_demonstrates(trained, data):
    with world() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "clone", _quick_clone)
        place = Path(shutil.copytree(trained / "finished", folder / "run"))
        file = place / data.draw(st.sampled_from(["variant.json", "params.pkl", "finished.sha256"]))
        original = file.read_bytes()
        if data.draw(st.integers(0, 4)) == 0:
            file.unlink()
        elif file.name == "variant.json" and data.draw(st.booleans()):
            file.write_text(json.dumps(data.draw(edited(json.loads(original)))))
        else:
            file.write_bytes(data.draw(damaged(original)))
        small = ["--labellers", "return", "--seeds", "1", "--demonstrations", "3", "--episodes", "2"]
        outcome = run_in(folder, "hipi-bc", ["--run", "run", *small, "--output", "out"], writes="out")
        assert outcome.code == 2 or not file.exists() or file.read_bytes() == original
