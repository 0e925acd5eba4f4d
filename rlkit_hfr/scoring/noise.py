"""The noise of sampled actions and latents."""

from __future__ import annotations

import torch
from torch import Tensor

from rlkit_hfr.state import State


class NormalNoise:
    """Standard normal noise from a generator of its own, on whatever device asks for it. On
    another device than before it begins anew from its seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._generator: torch.Generator | None = None

    def __call__(self, device: torch.device, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._on(device), device=device)

    def _on(self, device: torch.device) -> torch.Generator:
        if self._generator is None or self._generator.device.type != device.type:
            self._generator = torch.Generator(device).manual_seed(self._seed)
        return self._generator

    def state_dict(self, device: torch.device) -> State:
        """device: the one that goes on asking."""
        generator = self._generator
        return dict(noise=None if generator is None else generator.get_state(), noise_device=device.type)

    def load_state_dict(self, state: State, device: torch.device) -> None:
        """Go on from a `state_dict` if it is of the same kind of device."""
        generator = self._on(device)
        if state["noise"] is not None and state["noise_device"] == generator.device.type:
            generator.set_state(state["noise"])
