"""A temperature schedule as a relabeler: HFR that begins soft and grows hard.

    python -m rlkit_hfr train --env point-robot --preset quick \\
        --relabeler examples.temperature_schedule:CoolingHFR --set temperature=10 --set half_life=5
"""

from __future__ import annotations

from typing import Any

from rlkit_hfr.checks import positive_int
from rlkit_hfr.relabelers.hfr import HFRRelabeler


class CoolingHFR(HFRRelabeler):
    """HFR whose temperature halves every `half_life` iterations."""

    name = "cooling-hfr"

    def __init__(self, *, temperature: float = 10.0, half_life: int = 10, **options: Any) -> None:
        """temperature: of the first iteration; options: as `HFRRelabeler`."""
        super().__init__(temperature=temperature, **options)
        self.first = temperature
        self.half_life = positive_int("half_life", half_life)

    def begin_iteration(self, iteration: int) -> None:
        self.temperature = self.first * 0.5 ** ((iteration - 1) / self.half_life)
