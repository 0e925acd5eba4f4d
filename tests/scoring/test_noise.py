"""The noise of actions and latents, from a generator of its own."""

from __future__ import annotations

import torch

from rlkit_hfr import attach
from rlkit_hfr.scoring.noise import NormalNoise

CPU = torch.device("cpu")


def test_noise_goes_on_and_is_that_of_the_seed():
    noise, twin, other = NormalNoise(0), NormalNoise(0), NormalNoise(1)
    first, second = noise(CPU, 4, 3), noise(CPU, 4, 3)
    assert first.shape == (4, 3)
    assert not torch.equal(first, second)
    assert torch.equal(twin(CPU, 4, 3), first)
    assert torch.equal(twin(CPU, 4, 3), second)
    assert not torch.equal(other(CPU, 4, 3), first)


def test_noise_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    NormalNoise(0)(CPU, 5)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_state_goes_on_alike_and_that_of_another_device_begins_anew():
    noise, twin, anew = NormalNoise(0), NormalNoise(0), NormalNoise(0)
    first = noise(CPU, 4)
    state = noise.state_dict(CPU)
    second = noise(CPU, 4)
    twin.load_state_dict(state, CPU)
    assert torch.equal(twin(CPU, 4), second)
    anew.load_state_dict({**state, "noise_device": "cuda"}, CPU)
    assert torch.equal(anew(CPU, 4), first)


def test_a_resumed_run_on_another_device_draws_its_noise_anew(make_algorithm):
    relabeling = attach(make_algorithm(), "hfr", seed=0)
    relabeling.scorer.noise(1)
    state = relabeling.state_dict()
    state["router"]["scorer"] |= {"noise_device": "cuda", "noise": torch.zeros(16, dtype=torch.uint8)}
    relabeling.load_state_dict(state)
    assert relabeling.scorer.noise(2).shape == (2,)
