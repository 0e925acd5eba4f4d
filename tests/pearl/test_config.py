"""Settings that cannot work are refused by name."""

from __future__ import annotations

import pytest

from rlkit_hfr.pearl.config import PEARLConfig


def test_config_rejects_what_cannot_work():
    wrong = dict(
        meta_batch=0,
        discount=1.0,
        num_steps_prior=-1,
        reward_scale=float("nan"),
        batch_size=1.5,
        sparse_rewards=3,
    )
    for bad in ({key: value} for key, value in wrong.items()):
        with pytest.raises(ValueError, match=next(iter(bad))):
            PEARLConfig(**bad)
    assert PEARLConfig(sparse_rewards=1).sparse_rewards is True


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"embedding_batch_size": 8, "min_embedding_batch_size": 9},
            "at most embedding_batch_size = 8, got 9",
        ),
        ({"initial_stickiness": 1.0}, "below 1, got 1.0"),
        ({"lr_end_factor": 0.0}, r"in \(0, 1\], got 0.0"),
        ({"lr_end_factor": 1.5}, r"in \(0, 1\], got 1.5"),
    ],
)
def test_what_is_out_of_range_is_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        PEARLConfig(**settings)
