"""Gray images of a planar arm, drawn by numpy alone: the same bits on every machine, no graphics library."""

from __future__ import annotations

import numpy as np

_SUPERSAMPLING = 2


class ArmRasteriser:
    """Looks straight down on a square of `half_width` metres around the arm's base and
    averages anti-aliased capsules into pixels.
    """

    def __init__(self, size: int, half_width: float) -> None:
        """size: pixels along an edge of the image."""
        self._size, fine = size, size * _SUPERSAMPLING
        self._pixel = 2.0 * half_width / fine
        centres = (np.arange(fine) + 0.5) * self._pixel - half_width
        self._x, self._y = np.meshgrid(centres, -centres)  # rows run from the top, which is +y

    def _capsule(self, start: np.ndarray, end: np.ndarray, radius: float) -> np.ndarray:
        """How much of each fine pixel the capsule covers, by its distance: (fine, fine) in [0, 1]."""
        along = end - start
        dx, dy = self._x - start[0], self._y - start[1]
        t = np.clip((dx * along[0] + dy * along[1]) / max(float(along @ along), 1e-12), 0.0, 1.0)
        distance = np.sqrt((dx - t * along[0]) ** 2 + (dy - t * along[1]) ** 2) - radius
        return np.clip(0.5 - distance / self._pixel, 0.0, 1.0)

    def draw(self, capsules: list[tuple[np.ndarray, np.ndarray, float, float]]) -> np.ndarray:
        """Draw (start (2,), end (2,), radius, gray in [0, 1]) on top of each other on
        black: (size, size) uint8.
        """
        image = np.zeros_like(self._x)
        for start, end, radius, gray in capsules:
            cover = self._capsule(start, end, radius)
            image += cover * (gray - image)
        n = _SUPERSAMPLING
        return np.round(image.reshape(self._size, n, self._size, n).mean(axis=(1, 3)) * 255.0).astype(
            np.uint8
        )
