"""Hyper-parameters by environment: `paper` holds the reference values, `quick` the same,
scaled down to minutes on two cores.
"""

from __future__ import annotations

from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.experiments.settings.paper_presets import PAPER, Values
from rlkit_hfr.experiments.settings.quick_presets import QUICK

PRESETS = {"paper": PAPER, "quick": QUICK}


def preset(env_name: str, name: str) -> Values:
    """The settings of a preset for one environment; none for a family that has no preset."""
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}{did_you_mean(name, PRESETS)}; known: {', '.join(PRESETS)}")
    record = PRESETS[name].get(env_name)
    return {} if record is None else record.settings()
