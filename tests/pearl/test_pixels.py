"""Images in the rows of a network: what is made of them, and that both images of a row are read alike."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from rlkit_hfr.pearl.pixels import CONV_FEATURES, ConvPixels, ScaledPixels, pixel_features

IMAGES = [slice(0, 25), slice(27, 52)]  # of one channel, 5 x 5
SHAPE = (1, 5, 5)


def test_an_encoder_is_chosen_by_name_and_knows_its_width():
    flat, conv = (pixel_features(53, IMAGES, name, SHAPE) for name in ("flat", "conv"))
    assert isinstance(flat, ScaledPixels) and flat.output_size == 53
    assert isinstance(conv, ConvPixels) and conv.output_size == 3 + 2 * CONV_FEATURES
    rows = torch.rand(2, 4, 53)
    for features in (flat, conv):
        assert features(rows).shape == (2, 4, features.output_size)


def test_the_images_of_a_row_share_one_network():
    torch.manual_seed(0)
    image = torch.rand(3, 25) * 255
    out = ConvPixels(53, IMAGES, SHAPE)(torch.cat([image, torch.rand(3, 2), image, torch.rand(3, 1)], dim=1))
    torch.testing.assert_close(out[:, :CONV_FEATURES], out[:, CONV_FEATURES + 2 : -1])
    assert out[:, :CONV_FEATURES].std() > 0


@pytest.mark.parametrize("brightness", [0.0, 51.0, 255.0])
def test_pixels_are_between_zero_and_one(brightness):
    """A filter that copies one pixel, and a network behind it that passes features on."""
    conv = ConvPixels(25, [slice(0, 25)], SHAPE)
    for layer in (conv.conv1, conv.conv2):
        layer.weight.data.zero_()
        layer.bias.data.zero_()
        layer.weight.data[0, 0, 1, 1] = 1.0
    conv.fc.weight.data = F.pad(torch.eye(4), (0, conv.fc.in_features - 4, 0, CONV_FEATURES - 4))
    conv.fc.bias.data.zero_()
    out = conv(torch.full((1, 25), brightness))
    torch.testing.assert_close(out[0, :4], torch.full((4,), brightness / 255.0))
    assert (out[0, 4:] == 0.0).all()
