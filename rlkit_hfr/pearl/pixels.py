"""Images as inputs of the networks: rows that begin with the bytes of an image, here as
floats from 0 to 255.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PIXEL_ENCODERS = ("flat", "conv")
CONV_FEATURES = 64


class ScaledPixels(nn.Module):
    """Rows (..., D) with some of their columns divided by 255."""

    scale: Tensor

    def __init__(self, width: int, images: Sequence[slice]) -> None:
        """width: D; images: the columns that are pixels."""
        super().__init__()
        scale = torch.ones(width)
        for columns in images:
            scale[columns] = 1.0 / 255.0
        self.register_buffer("scale", scale)
        self.output_size = width

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class ConvPixels(nn.Module):
    """Rows (..., D) whose images are replaced by `CONV_FEATURES` features of a small
    convolutional network, shared by the images of a row.
    """

    def __init__(self, width: int, images: Sequence[slice], image_shape: tuple[int, int, int]) -> None:
        """image_shape: channels, height and width of an image."""
        super().__init__()
        self._images = list(images)
        self._shape = image_shape
        pixels = math.prod(image_shape)
        channels, height, breadth = image_shape
        self.conv1 = nn.Conv2d(channels, 16, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.fc = nn.Linear(32 * -(-height // 4) * -(-breadth // 4), CONV_FEATURES)
        self.output_size = width - len(self._images) * (pixels - CONV_FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        parts, end = [], 0
        for columns in self._images:
            parts += [x[..., end : columns.start], self._features(x[..., columns])]
            end = columns.stop
        return torch.cat([*parts, x[..., end:]], dim=-1)

    def _features(self, pixels: Tensor) -> Tensor:
        images = pixels.reshape(-1, *self._shape) / 255.0
        hidden = F.relu(self.conv2(F.relu(self.conv1(images))))
        return F.relu(self.fc(hidden.flatten(1))).view(*pixels.shape[:-1], CONV_FEATURES)


def pixel_features(
    width: int, images: Sequence[slice], encoder: str, image_shape: tuple[int, int, int]
) -> nn.Module:
    """The part of a network that takes in rows with images: "flat" or "conv"."""
    if encoder not in PIXEL_ENCODERS:
        raise ValueError(f"pixel_encoder must be one of {', '.join(PIXEL_ENCODERS)}, got {encoder!r}")
    return ScaledPixels(width, images) if encoder == "flat" else ConvPixels(width, images, image_shape)
