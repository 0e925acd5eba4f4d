"""Tensors that are nearly equal."""

from __future__ import annotations

import numpy as np


def assert_close(actual, expected):
    """`torch.testing.assert_close` as torch 1.8 lacks it."""
    np.testing.assert_allclose(actual.detach().numpy(), expected.detach().numpy(), rtol=1.3e-6, atol=1e-5)
