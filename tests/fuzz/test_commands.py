"""The command lines of every program, with anything in the place of anything."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from fuzzing import (
    ODD_TEXTS,
    TINY,
    choice_for,
    edited,
    examples,
    number_for,
    place_for,
    plain,
    run,
    run_in,
    settings_of,
    some,
    texts,
    tiny_arguments,
    values,
    whole,
    world,
)
from hypothesis import given
from hypothesis import strategies as st

from env_wrappers import ENVIRONMENTS, find_family
from rlkit_hfr import RELABELERS
from rlkit_hfr.experiments.commands import four_corners
from rlkit_hfr.experiments.pictures import families, hovering
from rlkit_hfr.experiments.settings.keys import keys_for
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.experiments.sweeps.comparison import Comparison
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.relabelers.normalisers import NORMALISERS

ENVS = ["point-robot", "sparse-point-robot", "four-corners"]  # those that are built in no time
KEYS = keys_for(find_family("point-robot"))
NAMES = sorted(
    {f"{section}.{name}" for section, names in KEYS.sections.items() for name in names}
    | {name for names in KEYS.sections.values() for name in names}
)
names = st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES), texts)


@st.composite
def assignments(draw) -> list[str]:
    return settings_of(draw(st.dictionaries(names, st.one_of(plain, values), min_size=1, max_size=3)))


@examples(60)
@given(st.sampled_from(ENVS), st.sampled_from(sorted(RELABELERS)), assignments())
def test_a_setting_is_taken_as_given_or_refused(env, relabeler, given_settings):
    with world() as folder:
        base = ["--env", env, "--relabeler", relabeler, "--preset", "quick", "--dry-run"]
        outcome = run_in(folder, "train", [*base, *given_settings])
        if outcome.code == 0:
            _is_what_was_asked_for(outcome.out, given_settings)
            (folder / "again.json").write_text(outcome.out)
            again = run("train", ["--config", "again.json", "--dry-run"])
            assert again.code == 0, again.err
            assert _without_preset(again.out) == _without_preset(outcome.out)


def _without_preset(text: str) -> dict:
    return {key: value for key, value in json.loads(text).items() if key != "preset"}


def _is_what_was_asked_for(text: str, given_settings: list[str]) -> None:
    variant = json.loads(text)
    keys = keys_for(find_family(variant["env_name"]))
    pairs = (item.split("=", 1) for item in given_settings[1::2])
    for (section, name), value in {keys.place(key): value for key, value in pairs}.items():
        found = (variant[section] if section else variant)[name]
        wanted = build_value(value)
        assert found == wanted or (isinstance(found, bool) and found == bool(wanted)), (name, value, found)


def build_value(text: str):
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)


TRAIN = some(
    choice_for("--env", ENVS),
    choice_for("--relabeler", RELABELERS),
    choice_for("--preset", ["quick", "paper"]),
    place_for("--config"),
    place_for("--resume"),
    place_for("--run-dir"),
    place_for("--log-dir"),
    place_for("--host-path"),
    choice_for("--host", ["carried"]),
    choice_for("--device", ["cpu", "cuda", "auto"]),
    choice_for("--precision", ["fp32", "bf16", "auto"]),
    choice_for("--snapshot-mode", ["all", "last", "gap", "gap_and_last", "none"]),
    number_for("--snapshot-gap"),
    choice_for("--log", ["csv", "jsonl"]),
    number_for("--seed"),
    st.sampled_from([["--keep-checkpoint"], ["--tensorboard"], ["--help"], ["--nothing"]]),
    assignments(),
    st.lists(texts, max_size=2),
)


@examples(60)
@given(TRAIN)
def test_the_command_line_of_train(arguments):
    with world() as folder:
        run_in(folder, "train", ["--env", "point-robot", *arguments, "--dry-run"])


@examples(4)
@given(
    st.sampled_from(ENVS),
    st.sampled_from(sorted(set(RELABELERS))),
    st.fixed_dictionaries(
        {},
        optional={
            "normaliser": st.sampled_from(NORMALISERS),
            "temperature": st.sampled_from([0, 0.1, 1.0, 100]),
            "relabel_fraction": st.sampled_from([0.0, 0.5, 1.0]),
            "keep_original": st.booleans(),
            "relabel_into": st.sampled_from(["both", "rl", "context"]),
            "stale_context": st.sampled_from(["drop", "keep"]),
            "after_terminal": st.sampled_from(["drop", "keep"]),
            "original_contexts": st.sampled_from([0.0, 0.5, 1.0]),
            "sparse_rewards": st.booleans(),
            "use_next_obs_in_context": st.booleans(),
            "use_information_bottleneck": st.booleans(),
            "latent_size": st.integers(1, 4),
            "num_envs": st.integers(1, 4),
            "discount": st.sampled_from([0.0, 0.5, 0.999]),
            "reward_scale": st.sampled_from([0.0, 1.0, 1e6, 1e12]),
            "qf_lr": st.sampled_from([0.0, 1e-3, 1.0]),
            "precision": st.sampled_from(["fp32", "bf16"]).map(str),
            "replay_buffer_size": st.integers(1, 100),
        },
    ),
    st.lists(st.text("abc é-_.", min_size=1, max_size=8), max_size=1),
)
def test_a_run_ends_or_says_why_not(env, relabeler, chosen, below):
    tasks = {"n_train_tasks": 4, "n_eval_tasks": 4} if env == "four-corners" else {}
    taken = {key: chosen[key] for key in chosen if key != "precision"}
    place = "/".join(["run", *below])
    with world() as folder:
        base = ["--env", env, "--relabeler", relabeler, "--preset", "quick", "--run-dir", place]
        given_settings = settings_of({**TINY, **tasks, **taken, "num_iterations": 1})
        outcome = run_in(folder, "train", [*base, *given_settings], writes="run", may_fail=True)
        if outcome.code == 0:
            assert (folder / place / "progress.csv").read_text().count("\n") == 2
            assert not {"lock", "checkpoint.pt"} & {file.name for file in (folder / place).iterdir()}


CONFIG = {
    "env_name": "point-robot",
    "n_train_tasks": 3,
    "n_eval_tasks": 2,
    "latent_size": 5,
    "net_size": 8,
    "relabeler": "hfr",
    "algo_params": {"meta_batch": 2, "discount": 0.9, "sparse_rewards": 0, "recurrent": False},
    "env_params": {"n_tasks": 5, "randomize_tasks": True},
    "relabel_params": {"temperature": 1.0, "normaliser": "mean"},
    "util_params": {"gpu_id": 0},
    "relabel_method": "hipi",
}


@examples(50)
@given(edited(CONFIG), st.sampled_from(["train", "compare"]))
def test_settings_files(content, program):
    with world() as folder:
        (folder / "config.json").write_text(json.dumps(content))
        if program == "train":
            run_in(folder, "train", ["--config", "config.json", "--dry-run"])
        else:
            _compare(folder, ["--config", "config.json"])


@examples(20)
@given(
    st.one_of(
        st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace"))
    )
)
def test_settings_files_that_are_none(content):
    with world() as folder:
        (folder / "config.json").write_bytes(content)
        run_in(folder, "train", ["--config", "config.json", "--dry-run"])


COMPARE = some(
    choice_for("--env", ENVS),
    choice_for("--relabelers", RELABELERS),
    choice_for("--preset", ["quick", "paper"]),
    whole.map(lambda n: ["--seeds", str(min(n, 2) if n < 10**6 else n)]),
    number_for("--hours"),
    number_for("--jobs"),
    place_for("--config"),
    assignments(),
    st.tuples(names, st.lists(plain, min_size=2, max_size=3)).map(
        lambda pair: ["--set", f"{pair[0]}={','.join(str(value) for value in pair[1])}"]
    ),
    st.sampled_from([["--ray", "nowhere:1"], ["--help"], ["--slurm", ""]]),
)


def _compare(folder: Path, arguments: list[str]) -> None:
    """Up to where the first run would begin."""
    start, Comparison.run = Comparison.run, lambda self: 0
    try:
        given_arguments = ["--env", "point-robot", "--seeds", "1", *arguments, "--log-dir", "logs"]
        run_in(folder, "compare", given_arguments, writes="logs")
    finally:
        Comparison.run = start


@examples(25)
@given(COMPARE)
def test_the_command_line_of_compare(arguments):
    with world() as folder:
        _compare(folder, arguments)


@examples(12)
@given(
    some(choice_for("--env", ENVS), number_for("--paths"), number_for("--seed"), st.lists(texts, max_size=1)),
    texts,
)
def test_the_command_line_of_show_env(arguments, place):
    def picture(*parts):
        parts[-1].write_bytes(b"a picture")

    def refuse(*parts):
        raise ValueError("no OpenGL")

    kept = families._picture, families.Film
    families._picture, families.Film = picture, refuse
    try:
        with world() as folder:
            env = [] if "--env" in arguments else ["--env", "point-robot"]
            below = f"out/{place}" if ".." not in place else "out"
            run_in(folder, "show-env", [*env, *arguments, "--out", below], writes="out")
    finally:
        families._picture, families.Film = kept


@examples(30)
@given(
    some(
        choice_for("--preset", ["quick", "paper"]),
        number_for("--seed"),
        number_for("--samples"),
        assignments(),
        st.sampled_from([["--train"], ["--run", "run"], ["--set", "relabeler=hipi"], ["--help"]]),
    )
)
def test_the_command_line_of_four_corners(arguments):
    kept = hovering.show_example, four_corners._train
    hovering.show_example = lambda run, output, samples, seed: None
    four_corners._train = lambda args: 0
    try:
        with world() as folder:
            run_in(folder, "four-corners", [*arguments, "--output", "out"], writes="out")
    finally:
        hovering.show_example, four_corners._train = kept


@examples(20)
@given(st.lists(st.one_of(texts, st.sampled_from(["train", "--help", "--version", "plot"])), max_size=4))
def test_the_command_line_of_all_programs(arguments):
    with world() as folder:
        (program, *rest) = [*arguments, "--dry-run"]
        run_in(folder, program, rest)


def test_the_keys_are_those_that_there_are():
    """What the tests above draw from has every setting of every section."""
    assert {field.name for field in dataclasses.fields(PEARLConfig)} <= set(NAMES)
    assert {"temperature", "n_tasks", "relabel_fraction", "net_size"} <= set(NAMES)
    assert set(build_variant("point-robot", "hfr", "quick", None, [], 0)["algo_params"]) <= set(NAMES)
    assert set(ENVS) <= set(ENVIRONMENTS)
    assert tiny_arguments()[:2] == ("--env", "point-robot")
    assert "../x" in ODD_TEXTS
