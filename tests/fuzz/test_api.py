"""What is called from Python: refused by a ValueError that says what was got, before
anything is changed, or served.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import warnings

import numpy as np
import pytest
import torch
from fuzzing import examples, numbers, plain, texts, tried, values, whole
from hypothesis import given
from hypothesis import strategies as st

from env_wrappers import ENVIRONMENTS, arguments_of, find_family, make_env
from rlkit_hfr import RELABELERS, RelabelDecision, attach
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.relabelers import make_relabeler, relabeler_options
from rlkit_hfr.relabelers.baselines import RandomRelabeler
from rlkit_hfr.relabelers.decisions import check_decisions
from rlkit_hfr.rewards.task_rewards import as_task_rewards

K, T = 3, 4
FIELDS = [field.name for field in dataclasses.fields(PEARLConfig)]
OPTIONS = sorted(
    {"rewards", "relabel_fraction", "keep_original", "relabel_into", "stale_context", "original_contexts"}
    | {"after_terminal", "precision", "seed", "host"}
    | {option for cls in RELABELERS.values() for option in relabeler_options(cls)}
)
arrays = st.builds(
    lambda shape, dtype, value, place: _array(shape, dtype, value, place),
    st.sampled_from([(K, T), (T, K), (K,), (T,), (K, T, 1), (), (0,), (K + 1, T)]),
    st.sampled_from(["f4", "f8", "f2", "i8", "u1", "?", "c8", "O", "U5", "M8[s]"]),
    st.one_of(st.floats(), st.sampled_from([0, 1, 2, -1, 0.5, 1e39, 1e300])),
    st.integers(0, 11),
)
anything = st.one_of(values, arrays, st.just(object()), st.just(torch.zeros(K, T)), st.just([[1], [1, 2]]))


def _array(shape, dtype, value, place):
    array = np.zeros(shape, dtype)
    if array.size:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(OverflowError, ValueError):
                array.reshape(-1)[place % array.size] = value
    return array


def _path():
    zeros = np.zeros((T, 2), np.float32)
    return dict(
        observations=zeros,
        actions=zeros,
        rewards=np.zeros((T, 1), np.float32),
        next_observations=zeros,
        terminals=np.zeros((T, 1), bool),
        agent_infos={},
        env_infos={},
    )


@examples(150)
@given(
    st.one_of(anything, st.tuples(anything), st.tuples(anything, anything), st.tuples(arrays, arrays, arrays))
)
def test_what_a_reward_function_returns(result):
    rewards, refusal = tried(lambda: as_task_rewards(result, _path(), K, "mine"))
    if refusal is not None:
        assert "mine" in str(refusal)
        return
    assert rewards.rewards.shape == rewards.terminals.shape == (K, T)
    assert rewards.rewards.dtype == np.float32 and np.isfinite(rewards.rewards).all()
    assert rewards.terminals.dtype == bool
    given_rewards = result[0] if isinstance(result, tuple) else result
    assert np.allclose(rewards.rewards, np.asarray(given_rewards, np.float64), rtol=1e-3)


_probs = st.one_of(
    anything, st.just(np.full(K, 1 / K)), st.just(np.eye(K)[1]), st.just(np.array([0.5, 0.6, -0.1]))
)
_tasks = st.one_of(anything, st.sampled_from([0, 1, 2, (0, 1), (1, 1), (), np.int64(2), np.zeros(T, int)]))


@examples(150)
@given(_tasks, _probs, _probs, st.integers(0, 2))
def test_what_a_relabeler_decides(tasks, probs, utilities, number):
    decision = RelabelDecision(tasks, probs, utilities, np.zeros(K))
    checked, refusal = tried(
        lambda: check_decisions([decision] * number, [_path()], range(K), RandomRelabeler())
    )
    if refusal is not None:
        assert "relabeler 'random'" in str(refusal)
        return
    assert len(checked) == number == 1
    assert abs(probs.sum() - 1) <= 1e-3 and (probs >= 0).all() and len(probs) == K
    assert set(np.atleast_1d(np.asarray(tasks)).tolist()) <= set(range(K))
    assert np.asarray(utilities).shape == (K,)


@examples(150)
@given(st.dictionaries(st.sampled_from(FIELDS), st.one_of(values, anything), min_size=1, max_size=3))
def test_the_configuration(fields):
    config, refusal = tried(lambda: PEARLConfig(**fields))
    if refusal is not None:
        assert any(name in str(refusal) for name in FIELDS)
        return
    for name, value in fields.items():
        assert getattr(config, name) == value
        assert isinstance(value, str) or math.isfinite(value)


@examples(60)
@given(
    st.one_of(st.sampled_from(sorted(RELABELERS)), plain, st.just(int), st.just(RandomRelabeler)),
    st.dictionaries(
        st.one_of(st.sampled_from(OPTIONS), st.just("nothing")), st.one_of(plain, values), max_size=2
    ),
)
def test_attach_serves_or_changes_nothing(make_algorithm, relabeler, options):
    algorithm = make_algorithm(num_iterations=1)
    before = vars(algorithm).copy()
    classes = type(algorithm.replay_buffer), type(algorithm.enc_replay_buffer)
    relabeling, refusal = tried(lambda: attach(algorithm, relabeler, **options))
    if refusal is not None:
        assert str(refusal)
        assert vars(algorithm) == before
        assert classes == (type(algorithm.replay_buffer), type(algorithm.enc_replay_buffer))
        return
    relabeling.detach()
    assert vars(algorithm).keys() == before.keys()


@examples(3)
@given(st.sampled_from(sorted(RELABELERS)), st.data())
def test_what_attach_takes_trains(make_algorithm, name, data):
    algorithm = make_algorithm(num_iterations=1, num_train_steps_per_itr=1)
    known = relabeler_options(RELABELERS[name])
    options = data.draw(st.dictionaries(st.sampled_from(known), plain, max_size=1)) if known else {}
    _, refusal = tried(lambda: attach(algorithm, name, relabel_fraction=1.0, seed=0, **options))
    if refusal is not None:
        return
    algorithm.train()
    assert algorithm.iterations_done == 1


@examples(100)
@given(st.sampled_from(sorted(RELABELERS)), st.dictionaries(st.sampled_from(OPTIONS), anything, max_size=2))
def test_options_of_relabelers(name, options):
    made, refusal = tried(lambda: make_relabeler(name, **options))
    if refusal is not None:
        assert str(refusal)
        return
    assert set(options) <= set(relabeler_options(type(made)))


@examples(60)
@given(st.one_of(st.sampled_from(["point-robot", "sparse-point-robot", "four-corners"]), plain), st.data())
def test_task_families(name, data):
    known = ["n_tasks", "task_seed", "nothing"]
    if isinstance(name, str) and name in ENVIRONMENTS:
        known += arguments_of(find_family(name)).names
    options = data.draw(
        st.dictionaries(st.sampled_from(known), st.one_of(whole, numbers, texts, values), max_size=2)
    )
    if any(isinstance(value, int) and abs(value) >= 10**9 for value in options.values()):
        return  # a task family of one's own may be as large as the machine holds: commands have the limits
    env, refusal = tried(
        lambda: make_env(name, seed=0, **options), (ValueError, TypeError, OverflowError, IndexError)
    )
    if refusal is not None:
        assert str(refusal)
        return
    env.reset_task(0)
    assert np.isfinite(env.reset()).all()
    assert math.isfinite(env.step(np.zeros(env.action_space.shape))[1])


def test_refusals_are_possible():
    """The properties above can fail."""
    with pytest.raises(ValueError):
        as_task_rewards(np.full((K, T), np.nan), _path(), K)
    assert as_task_rewards(np.zeros((K, T)), _path(), K).rewards.shape == (K, T)
