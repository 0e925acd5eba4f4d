"""The algorithms, their settings and presets."""

from __future__ import annotations

import pytest

from rlkit_hfr.experiments.settings.algorithms import ALGORITHMS, belongs_to_others, find_algorithm


def test_names_are_known_or_their_neighbour_is_told():
    assert find_algorithm("mier") is ALGORITHMS["mier"]
    with pytest.raises(
        ValueError, match=r"unknown algorithm 'mire' \(did you mean 'mier'\?\); known: pearl, mier"
    ):
        find_algorithm("mire")
    with pytest.raises(ValueError, match="unknown algorithm None"):
        find_algorithm(None)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_presets_name_settings_that_there_are(name):
    algorithm = ALGORITHMS[name]
    assert algorithm.config(**algorithm.settings) == algorithm.config()
    for preset in algorithm.presets.values():
        assert set(preset) <= set(algorithm.settings) | {"net_size"}


def test_a_setting_belongs_to_others_if_no_other_way():
    assert belongs_to_others("adapt_clip", "pearl")
    assert not belongs_to_others("adapt_clip", "mier")
    assert not belongs_to_others("discount", "mier")  # which both have
    assert not belongs_to_others("no_setting", "pearl")
