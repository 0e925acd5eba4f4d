"""What a capsule covers."""

from __future__ import annotations

import numpy as np
import pytest

from env_wrappers.rasteriser import ArmRasteriser


def test_a_capsule_covers_its_area_where_it_is():
    image = ArmRasteriser(16, 0.24).draw([(np.array([0.0, 0.1]), np.array([0.1, 0.1]), 0.03, 1.0)])
    assert image.dtype == np.uint8
    pixel = 0.48 / 16
    covered = image.sum() / 255.0 * pixel**2
    assert covered == pytest.approx(0.1 * 0.06 + np.pi * 0.03**2, rel=0.03)
    rows, columns = np.nonzero(image > 250)
    y, x = 0.24 - (rows + 0.5) * pixel, (columns + 0.5) * pixel - 0.24
    assert np.all(np.abs(y - 0.1) < 0.03)  # up is +y
    assert np.all((x > -0.03) & (x < 0.13))
