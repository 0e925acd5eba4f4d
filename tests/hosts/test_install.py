"""What `attach` puts in place, `detach` takes away."""

from __future__ import annotations

import pytest
import standin_families
import standins

from rlkit_hfr import attach

EVERY = sorted(standins.EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_detach_gives_the_objects_back(name):
    algorithm = standins.EVERY[name]()
    before = dict(vars(algorithm))
    inner = {
        role: (type(b := getattr(algorithm, role)), dict(vars(b)))
        for role in ("replay_buffer", "enc_replay_buffer")
    }
    relabeling = attach(algorithm, "hfr")
    assert vars(algorithm) != before
    relabeling.detach()
    assert vars(algorithm) == before
    for role, (cls, attributes) in inner.items():
        assert type(getattr(algorithm, role)) is cls
        assert vars(getattr(algorithm, role)) == attributes


def test_detach_puts_back_what_stood_on_the_object_before():
    algorithm = standin_families.OysterLike()

    def own(indices):
        return standin_families.OysterLike.sample_context(algorithm, indices)

    algorithm.sample_context = own
    attach(algorithm, "hfr").detach()
    assert algorithm.sample_context is own


def test_a_refusal_leaves_nothing_half_attached():
    algorithm = standin_families.OysterLike()
    algorithm.replay_buffer = type("NoAdds", (), {"task_buffers": algorithm.replay_buffer.task_buffers})()
    with pytest.raises(ValueError, match="no multi-task replay buffer"):
        attach(algorithm, "hfr")
    assert type(algorithm.enc_replay_buffer) is standin_families.Buffer
    assert "sample_context" not in vars(algorithm)
