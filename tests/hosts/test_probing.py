"""What is found out of each stand-in at attach."""

from __future__ import annotations

import pytest
import standins
import torch
from standin_families import Encoder, OysterLike

from rlkit_hfr import attach
from rlkit_hfr.hosts.probing import make_dummies

PRODUCT = (False, False, False)
# (infers_alone, in_order, samples_alone) of those whose posterior is no product of Gaussians
OWN = {
    "DirichletBelief": (True, False, True),
    "DropoutAndMeans": (True, False, False),
    "Recurrent": (True, True, False),
    "SeveralEncoders": (True, False, True),
}


@pytest.mark.parametrize("name", sorted(standins.EVERY))
def test_how_a_host_infers_is_found_out(name):
    algorithm = standins.EVERY[name]()
    calls = attach(algorithm, "hfr").scorer.networks.calls
    assert (calls.infers_alone, calls.in_order, calls.samples_alone) == OWN.get(name, PRODUCT)
    assert calls.knows_normal
    assert calls.layout.width == 5


@pytest.mark.parametrize("stated", [True, False])
def test_rows_that_end_with_the_next_observation_are_told_by_the_encoders_width(stated):
    """Also where the encoder does not say how wide it is."""
    algorithm = OysterLike()
    algorithm.agent.context_encoder = Encoder(width=7)
    if not stated:
        del algorithm.agent.context_encoder.input_size
    assert attach(algorithm, "hfr").scorer.networks.layout.width == 7


def test_dummies_have_the_hosts_sizes():
    networks = attach(OysterLike(), "hfr").scorer.networks
    dummies = make_dummies(networks.parts, networks.layout)
    assert (dummies.obs.shape, dummies.action.shape, dummies.z.shape) == ((16, 2), (16, 2), (16, 3))
    assert dummies.action.abs().max() < 1.0
    assert dummies.context.shape == (2, 5, 5)
    assert bool(torch.all(dummies.mask))
