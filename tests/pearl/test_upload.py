"""A batch on its way to the device: one copy, and what arrives is what was sent."""

from __future__ import annotations

import numpy as np
import torch
from pretended_cuda import CUDA

from rlkit_hfr.pearl.upload import to_device


def test_what_travels_together_arrives_as_it_was(cuda):
    generator = np.random.default_rng(0)
    image = torch.from_numpy(generator.integers(0, 255, (2, 3, 7)).astype(np.uint8))
    tensors = [image, torch.randn(2, 5, 1), torch.randn(1).double()]
    arrived = to_device(tensors, CUDA)
    for sent, got in zip(tensors, arrived, strict=True):
        assert got.device == CUDA
        assert got.dtype == torch.float32
        assert torch.equal(got.cpu(), sent.float())
    assert len(cuda.uploads) == 1
    same = [torch.ones(2), torch.ones(3, dtype=torch.uint8)]
    assert to_device(same, torch.device("cpu"))[0] is same[0]
    assert to_device(same, torch.device("cpu"))[1].dtype == torch.float32
