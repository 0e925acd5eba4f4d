"""`compute_in`; `tests/test_precision.py` has what follows from it."""

from __future__ import annotations

import pytest
import torch
from standin_families import Critic, OysterLike

from rlkit_hfr import attach
from rlkit_hfr.hosts.half_precision import compute_in


def _networks(algorithm):
    return attach(algorithm, "hfr", precision="fp32").scorer.networks


def test_networks_compute_in_what_they_were_told_last():
    algorithm = OysterLike()
    networks = _networks(algorithm)
    before = torch.get_rng_state()
    rows = torch.ones(4, 2), torch.ones(4, 2), torch.ones(4, 3)
    values = []
    for precision in ("bf16", "fp32"):
        compute_in(networks, precision, with_value=True)
        assert networks.precision == precision
        values.append(networks.critics(*rows)[0])
    assert torch.equal(values[1], algorithm.qf1(*rows))
    assert not torch.equal(values[0], values[1])
    torch.testing.assert_close(*values, rtol=0.05, atol=0.01)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_refusal_leaves_single_precision():
    class InSingle(Critic):
        def forward(self, *inputs):
            out = super().forward(*inputs)
            assert out.dtype == torch.float32
            return out

    algorithm = OysterLike()
    algorithm.target_vf = InSingle(5)
    networks = _networks(algorithm)
    compute_in(networks, "bf16", with_value=False)  # V is not asked for
    assert networks.half
    with pytest.raises(
        ValueError, match="networks don't run in bf16: AssertionError.*; choose precision='fp32'"
    ):
        compute_in(networks, "bf16", with_value=True)
    assert not networks.half
