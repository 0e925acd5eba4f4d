"""Presets are what they were recorded to be, value for value: a number that moves changes
everybody's runs.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from env_wrappers import ENVIRONMENTS
from rlkit_hfr.experiments.settings.presets import PRESETS, preset

RECORDED = json.loads((Path(__file__).parent / "presets.json").read_text())


def test_every_environment_has_its_presets():
    assert set(RECORDED) == set(ENVIRONMENTS)
    assert all(set(records) == set(RECORDED) for records in PRESETS.values())


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("env_name", RECORDED)
def test_presets_hold_the_recorded_values(env_name, name):
    found = json.dumps(preset(env_name, name), sort_keys=True)  # as text, in which 1 and 1.0 and true differ
    assert found == json.dumps(RECORDED[env_name][name], sort_keys=True)
