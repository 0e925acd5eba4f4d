"""Generators that go on where they stood, and parts of a saved state that are of another kind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from saved import saved_and_loaded

from rlkit_hfr.state import as_tensor, check_alike, plain, restored, rng_state, set_rng_state

OWN = {
    "a": 1,
    "share": 0.5,
    "name": "x",
    "on": True,
    "rows": torch.zeros(4, 2),
    "parts": {"b": [1]},
    "none": None,
}


def test_a_generator_goes_on_where_it_stood():
    rng, other = np.random.default_rng(0), np.random.default_rng(9)
    rng.normal(size=5)
    state = rng_state(rng)
    expected = rng.normal(size=3)
    set_rng_state(other, state)
    np.testing.assert_array_equal(other.normal(size=3), expected)


def test_a_tensor_of_an_array_shares_its_memory():
    array = np.arange(6.0).reshape(2, 3)
    tensor = as_tensor(array)
    array[0, 0] = 7.0
    assert tensor[0, 0].item() == 7.0
    assert as_tensor(array.T).tolist() == array.T.tolist()  # a copy, whose rows are contiguous


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"a": 5},
        {"share": 1},
        {"rows": torch.ones(9, 2)},
        {"none": "anything"},
        {"parts": {"b": ["x", 2]}},
    ],
)
def test_other_values_of_the_same_kinds_are_alike(change):
    check_alike({**OWN, **change}, OWN, "state")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": "1"}, "state.a must be a int, got str"),
        ({"a": True}, "state.a must be a int, got bool"),
        ({"on": 1}, "state.on must be a bool, got int"),
        ({"share": "half"}, "state.share must be a float, got str"),
        ({"name": 3}, "state.name must be a str, got int"),
        ({"rows": [1, 2]}, "state.rows must be a tensor of torch.float32, got list"),
        ({"rows": torch.zeros(4, 2).double()}, "state.rows must be a tensor of torch.float32"),
        ({"rows": torch.zeros(4, 3)}, r"state.rows must have rows of \(2,\), got \(4, 3\)"),
        ({"parts": 5}, "state.parts must be a dict, got int"),
        ({"parts": {"c": [1]}}, "state.parts has other parts than the run: b, c"),
        ({"more": 1}, "state has other parts than the run: more"),
    ],
)
def test_the_place_of_what_is_of_another_kind_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        check_alike({**OWN, **change}, OWN, "state")


def test_plain_values_come_back_as_they_were():
    value = {
        "number": 1,
        "text": "a",
        "nothing": None,
        "array": np.arange(6, dtype=np.int16).reshape(2, 3),
        "scalar": np.float32(0.1),
        "pair": (1, [np.zeros(2), {"deep": True}]),
        "texts": np.array([["a", "bc"], ["d", ""]]),
        "lists": np.array([[1, 2], [3, 4], None], object)[:2],
        "without axes": np.array(2.5),
    }
    back = restored(saved_and_loaded(plain(value)))
    np.testing.assert_equal(back, value)
    assert type(back["scalar"]) is np.float32
    assert type(back["pair"]) is tuple
    assert back["array"].dtype == np.int16
    assert [back[name].shape for name in ("texts", "lists", "without axes")] == [(2, 2), (2,), ()]


@pytest.mark.parametrize("value", [object(), {1: 2}, [np.zeros(1), {"a": {3}}]])
def test_other_objects_are_no_part_of_a_checkpoint(value):
    with pytest.raises(TypeError, match="a checkpoint can't hold"):
        plain(value)
