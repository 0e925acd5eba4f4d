"""Oyster's and HFR's files are understood, and what can't be meant is refused."""

from __future__ import annotations

import json

import pytest

from env_wrappers import make_env
from rlkit_hfr.experiments.settings.variant import build_variant

OYSTER_CONFIG = {
    "env_name": "sparse-point-robot",
    "n_train_tasks": 8,
    "n_eval_tasks": 2,
    "env_params": {"n_tasks": 10, "randomize_tasks": True},
    "algo_params": {
        "num_initial_steps": 200,
        "embedding_batch_size": 512,
        "embedding_mini_batch_size": 512,
        "sparse_rewards": 1,
        "recurrent": False,
        "dump_eval_paths": 0,
        "update_post_train": 1,
    },
    "util_params": {"use_gpu": True, "gpu_id": 0},
}


def test_oysters_config_is_understood(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(OYSTER_CONFIG))
    variant = build_variant(None, None, None, file, [], 0)
    assert variant["env_name"] == "sparse-point-robot"
    assert variant["algo_params"]["num_initial_steps"] == 200
    assert variant["algo_params"]["num_train_steps_per_itr"] == 2000  # oyster's default, not a preset's
    assert variant["algo_params"]["embedding_batch_size"] == 512
    assert make_env("sparse-point-robot", **variant["env_params"]).tasks.shape == (10, 2)


def test_hfrs_keys_are_translated(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(
        json.dumps(
            {
                "env_name": "four-corners",
                "n_train_tasks": 4,
                "n_eval_tasks": 4,
                "algo_params": {
                    "relabel_method": "hfr-q",
                    "use_softmax": False,
                    "utility_batch_size": 1024,
                    "log_success_rate": 1,
                },
            }
        )
    )
    variant = build_variant(None, None, None, file, [], 0)
    assert variant["relabeler"] == "hfr"
    assert variant["relabel_params"] == {"precision": "fp32", "temperature": 0.0, "num_initial_states": 1024}


def _variant(tmp_path, algo_params, **content):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"env_name": "sparse-point-robot", "algo_params": algo_params, **content}))
    return build_variant(None, None, None, file, [], 0)


def test_ones_are_truths_in_oysters_files_alone(tmp_path):
    oysters = {"sparse_rewards": 1, "embedding_batch_size": 64, "embedding_mini_batch_size": 64}
    assert _variant(tmp_path, oysters)["algo_params"]["sparse_rewards"] is True
    with pytest.raises(ValueError, match="sparse_rewards in .*config.json must be true or false, got 1"):
        _variant(tmp_path, {"sparse_rewards": 1})
    for value in (2, "no", "1", None):
        with pytest.raises(ValueError, match="sparse_rewards in .* must be true or false"):
            _variant(tmp_path, {**oysters, "sparse_rewards": value})


@pytest.mark.parametrize("value", ["no", "false", 1, 0, None, 1.0])
@pytest.mark.parametrize("key", ["use_softmax", "use_learned_reward"])
def test_hfrs_truths_are_true_or_false(tmp_path, key, value):
    with pytest.raises(
        ValueError, match=f"{key} in .*config.json must be true or false, got .*; write true or false"
    ):
        _variant(tmp_path, {key: value})


@pytest.mark.parametrize(
    ("key", "value", "option"),
    [
        ("use_softmax", True, ("temperature", 1.0)),
        ("use_softmax", False, ("temperature", 0.0)),
        ("use_learned_reward", True, ("rewards", "learned")),
        ("use_learned_reward", False, ("rewards", None)),
    ],
)
def test_hfrs_truths_are_heeded(tmp_path, key, value, option):
    name, expected = option
    assert _variant(tmp_path, {key: value})["relabel_params"][name] == expected


def test_two_sizes_of_the_context_batch_are_refused(tmp_path):
    with pytest.raises(ValueError, match="embedding_mini_batch_size in .* must equal embedding_batch_size"):
        _variant(tmp_path, {"embedding_batch_size": 64, "embedding_mini_batch_size": 32})


@pytest.mark.parametrize("section", ["", "algo_parms"])
def test_unknown_sections_are_named(tmp_path, section):
    with pytest.raises(
        ValueError, match=f"unknown section '{section}' in .*; known: algo_params, relabel_params, env_params"
    ):
        _variant(tmp_path, {}, **{section: {}})
