"""Hosts that can't be served are refused at attach, with a message that says what is missing."""

from __future__ import annotations

import numpy as np
import pytest
import standin_families
import standins
from saved import saved_and_loaded

from rlkit_hfr import attach


def _without(name):
    def change(algorithm):
        delattr(algorithm, name)

    return change


@pytest.mark.parametrize(
    ("base", "change", "message"),
    [
        ("OysterLike", lambda a: setattr(a, "relabel_method", "hfr-q"), "relabels by itself"),
        (
            "RlkitLike",
            lambda a: setattr(a, "use_meta_learning_buffer", True),
            "use_meta_learning_buffer=True",
        ),
        ("OysterLike", _without("enc_replay_buffer"), "without enc_replay_buffer"),
        ("RlkitLike", lambda a: delattr(a.trainer, "qf2"), "without .*qf2"),
        (
            "OysterLike",
            lambda a: delattr(a.agent, "context_encoder"),
            "no context_encoder, and whose inference can't be used .*AttributeError.*expected infer_post",
        ),
        (
            "SeveralEncoders",
            lambda a: setattr(a.agent, "infer_posterior", lambda context: None),
            "left no z of 2 rows",
        ),
        (
            "SeveralEncoders",
            lambda a: setattr(a.agent, "infer_posterior", None),
            "neither infer_posterior nor latent_posterior",
        ),
        ("SeveralEncoders", lambda a: setattr(a.agent, "latent_dim", 2), "can't be called"),
        (
            "Recurrent",
            lambda a: setattr(a.agent, "infer_posterior", lambda context, state: None),
            "gives no posterior.*missing 1 required positional argument: 'state'",
        ),
        ("OysterLike", lambda a: delattr(a.agent, "policy"), "has no policy"),
        ("OysterLike", lambda a: setattr(a, "replay_buffer", object()), "no task_buffers"),
        ("OysterLike", lambda a: setattr(a, "train_tasks", ["a", "b"]), "are no keys"),
        (
            "OysterLike",
            lambda a: setattr(a.agent.context_encoder, "input_size", 99),
            "rows of 99; expected 5",
        ),
        ("OysterLike", _without("reward_scale"), "without reward_scale"),
        ("OysterLike", lambda a: setattr(a, "qf1", nn_of_another_width()), "qf1 and qf2 can't be called"),
        ("OysterLike", lambda a: setattr(a.agent, "policy", nn_of_another_width()), "policy can't be called"),
        ("OysterLike", lambda a: setattr(a, "env", object()), "no observation_space"),
    ],
)
def test_what_cannot_be_served_is_refused_at_attach(base, change, message):
    algorithm = standins.EVERY[base]()
    change(algorithm)
    before = dict(vars(algorithm))
    with pytest.raises(ValueError, match=message):
        attach(algorithm, "hfr")
    assert vars(algorithm) == before


@pytest.mark.parametrize(
    ("base", "relabeler", "options", "message"),
    [
        ("OneBuffer", "hfr", {"relabel_into": "rl"}, "one buffer in both roles.*relabel_into='rl' needs two"),
        ("OneBuffer", "hfr", {"relabel_into": "context"}, "relabel_into='context' needs two buffers"),
        ("OneBuffer", "hfr", {"original_contexts": 0.5}, "original_contexts=0.5 needs two buffers"),
        (
            "Recurrent",
            "hipi",
            {"relabel_into": "context"},
            "both or rl with 'hipi' and an encoder that reads",
        ),
        ("OysterLike", "hfr", {"utility": "rollouts"}, "without max_path_length, which utility='rollouts'"),
    ],
)
def test_an_option_that_a_host_cannot_follow_is_refused_at_attach(base, relabeler, options, message):
    algorithm = standins.EVERY[base]()
    before = dict(vars(algorithm))
    with pytest.raises(ValueError, match=message):
        attach(algorithm, relabeler, **options)
    assert vars(algorithm) == before


def nn_of_another_width():
    return standin_families.Critic(width=99)


def test_bellman_is_refused_where_there_is_no_value():
    algorithm = standin_families.OysterLike()
    del algorithm.target_vf
    with pytest.raises(ValueError, match="hfr-bellman.*needs target_vf"):
        attach(algorithm, "hfr-bellman")
    attach(algorithm, "hfr")


def test_task_indices_of_numpy_make_no_checkpoint_that_cant_be_loaded():
    algorithm = standins.OysterLike()
    algorithm.train_tasks = np.array(algorithm.train_tasks)
    relabeling = attach(algorithm, "random", relabel_fraction=1.0, seed=0)
    for task in algorithm.train_tasks:
        algorithm.add(task, [algorithm.rollout(task)], True)
    relabeling.load_state_dict(saved_and_loaded(relabeling.state_dict()))


def test_buffers_keyed_by_numpys_task_indices_make_a_checkpoint_that_can_be_loaded():
    algorithm = standins.OysterLike()
    for buffers in (algorithm.replay_buffer.task_buffers, algorithm.enc_replay_buffer.task_buffers):
        for task in list(buffers):
            buffers[np.int64(task)] = buffers.pop(task)
    for task in algorithm.train_tasks:
        algorithm.add(task, [algorithm.rollout(task)], True)
    relabeling = attach(algorithm, "random", relabel_fraction=1.0, seed=0)
    algorithm.sample_context(list(algorithm.train_tasks))  # before any task's first path
    relabeling.load_state_dict(saved_and_loaded(relabeling.state_dict()))
