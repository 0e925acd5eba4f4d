"""Batches on their way from the buffers to the networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

_ALIGNMENT = 64  # bytes; views as float32 need 4, vectorised kernels up to 16


def to_device(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """The tensors as float32 on `device`, by way of one copy that nothing waits for.

    They travel as the bytes that they are (images as uint8) and become float32 there.
    """
    if device.type == "cpu":
        return [tensor.float() for tensor in tensors]
    sizes = [-(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT for tensor in tensors]
    starts = [0, *accumulate(sizes)]
    # A copy from memory that the system may page out would be staged, and waited for.
    packed = torch.empty(starts[-1], dtype=torch.uint8, pin_memory=device.type == "cuda")
    for start, tensor in zip(starts, tensors, strict=False):
        _part(packed, start, tensor).copy_(tensor)
    moved = packed.to(device, non_blocking=True)
    return [_part(moved, start, tensor).float() for start, tensor in zip(starts, tensors, strict=False)]


def _part(packed: Tensor, start: int, like: Tensor) -> Tensor:
    """The bytes from `start` on, as a tensor of the type and shape of `like`."""
    return packed[start : start + like.nbytes].view(like.dtype).view(like.shape)
