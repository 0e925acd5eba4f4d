"""What wins over what, what is refused, and that nothing depends on the machine unless
it is asked for.
"""

from __future__ import annotations

import json

import pytest

from env_wrappers import ENVIRONMENTS
from rlkit_hfr.experiments.settings.presets import PRESETS
from rlkit_hfr.experiments.settings.variant import build_variant


@pytest.fixture
def config(tmp_path):
    """Write a settings file; returns its path."""

    def write(**content):
        file = tmp_path / "config.json"
        file.write_text(json.dumps(content))
        return file

    return write


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("env_name", ENVIRONMENTS)
@pytest.mark.parametrize("relabeler", ["hfr", "hipi", "random"])
def test_every_environment_has_presets_that_build(env_name, name, relabeler):
    variant = build_variant(env_name, relabeler, name, None, [], 0)
    assert variant["env_params"]["n_tasks"] <= variant["n_train_tasks"] + variant["n_eval_tasks"]
    assert ("num_initial_states" in variant["relabel_params"]) == (relabeler == "hfr")


def test_the_command_line_wins_over_config_over_preset(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"algo_params": {"meta_batch": 3, "batch_size": 7}, "net_size": 9}))
    variant = build_variant(
        "point-robot", "random", "paper", file, ["algo_params.batch_size=5", "relabel_fraction=0.25"], 0
    )
    assert (
        variant["algo_params"]["meta_batch"],
        variant["algo_params"]["batch_size"],
        variant["net_size"],
    ) == (3, 5, 9)
    assert variant["algo_params"]["num_train_steps_per_itr"] == 1000
    assert variant["relabel_params"] == {"precision": "fp32", "relabel_fraction": 0.25}


def _options(relabeler, *, preset=None, config=None, assignments=()):
    return build_variant("point-robot", relabeler, preset, config, list(assignments), 0)["relabel_params"]


def test_a_presets_options_serve_the_relabelers_that_take_them():
    assert _options("hfr", preset="quick")["num_initial_states"] == 64
    assert "num_initial_states" not in _options("air", preset="quick")


def test_an_option_that_was_asked_for_is_refused_where_it_does_not_belong(config):
    refused = pytest.raises(ValueError, match="'air' has no option 'num_initial_states'")
    with refused:
        _options("air", preset="quick", assignments=["num_initial_states=64"])
    with refused:  # the config was written for this relabeler
        _options(None, config=config(relabeler="air", relabel_params={"num_initial_states": 3}))
    with refused:
        _options(
            "air", preset="quick", config=config(relabeler="air", relabel_params={"num_initial_states": 3})
        )


def test_a_config_of_another_relabeler_leaves_its_options_behind(config):
    file = config(relabeler="hfr", relabel_params={"num_initial_states": 3, "relabel_fraction": 0.25})
    assert _options("air", config=file) == {"precision": "fp32", "relabel_fraction": 0.25}
    assert _options("air", preset="quick", config=file) == {
        "precision": "fp32",
        "relabel_fraction": 0.25,
        "relabel_into": "rl",  # the preset's
    }
    assert _options("hfr", config=file)["num_initial_states"] == 3
    with pytest.raises(ValueError, match="has no option 'num_initial_states'"):
        _options("air", config=file, assignments=["num_initial_states=4"])


def test_scoring_is_in_single_precision_unless_asked_for():
    assert _options("hfr")["precision"] == "fp32"
    assert _options("hfr", assignments=["relabel_params.precision=auto"])["precision"] == "auto"


def test_an_ambiguous_name_is_refused_with_both_sections(config):
    expected = "algo_params and relabel_params; say which: algo_params.precision or relabel_params.precision"
    for given in (
        dict(assignments=["precision=bf16"]),
        dict(config=config(env_name="point-robot", precision="bf16")),
    ):
        with pytest.raises(ValueError, match=expected):
            _options("hfr", **given)
    variant = build_variant("point-robot", None, None, None, ["algo_params.precision=bf16"], 0)
    assert variant["algo_params"]["precision"] == "bf16"
    assert variant["relabel_params"]["precision"] == "fp32"


def test_a_configs_seed_holds_unless_another_is_given(config):
    file = config(env_name="point-robot", seed=7)
    assert build_variant(None, None, None, file, [], None)["seed"] == 7
    assert build_variant(None, None, None, file, [], 3)["seed"] == 3
    assert build_variant(None, None, None, file, [], 0)["seed"] == 0
    assert build_variant("point-robot", None, None, None, [], None)["seed"] == 0


@pytest.mark.parametrize("seed", [-1, 2.5, "7", True, [7]])
def test_a_seed_that_is_none_is_refused(config, seed):
    with pytest.raises(
        ValueError, match="seed in .*config.json must be a whole number, zero or more, got .*--seed"
    ):
        build_variant(None, None, None, config(env_name="point-robot", seed=seed), [], None)


@pytest.mark.parametrize("value", ["no", "1", "0", '"false"', "null", "1.0", "[]"])
@pytest.mark.parametrize("key", ["sparse_rewards", "algo_params.eval_deterministic", "keep_original"])
def test_truth_values_are_true_or_false(key, value):
    with pytest.raises(
        ValueError, match=f"{key.rpartition('.')[2]} must be true or false, got .*; write true or false"
    ):
        _options("hfr", assignments=[f"{key}={value}"])


def test_true_and_false_are_taken_in_json_and_pythons_words():
    for text, value in (("true", True), ("False", False)):
        assert _options("hfr", assignments=[f"keep_original={text}"])["keep_original"] is value


@pytest.mark.parametrize("name", [5, ["point-robot"], None])
def test_names_are_names(config, name):
    with pytest.raises(ValueError, match="must be a name|no environment"):
        build_variant(None, None, None, config(env_name=name), [], 0)
    with pytest.raises(ValueError, match="relabeler must be a name"):
        build_variant(None, None, None, config(env_name="point-robot", relabeler=name), [], 0)
