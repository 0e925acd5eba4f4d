"""Settings keep the source that they came from."""

from __future__ import annotations

import pytest

from rlkit_hfr.experiments.settings.draft import Draft, Source
from rlkit_hfr.experiments.settings.keys import Keys


@pytest.fixture
def draft():
    return Draft(Keys({"": ("seed",), "a": ("rate", "on")}, {"a": frozenset({"on"})}))


def test_what_is_set_later_replaces_value_and_source(draft):
    assert draft.source("rate") is None
    draft.put("rate", 1, Source.PRESET)
    draft.put("a.rate", 2, Source.COMMAND_LINE)
    draft.put("seed", 7, Source.CONFIG)
    assert (draft["rate"], draft.source("rate")) == (2, Source.COMMAND_LINE)
    assert draft.variant() == {"seed": 7, "a": {"rate": 2}}


def test_settings_are_dropped_by_their_source(draft):
    draft.put("rate", 1, Source.PRESET)
    draft.put("on", True, Source.CONFIG)
    draft.drop("a", {"rate", "on", "other"}, {Source.PRESET})
    assert draft.variant() == {"a": {"on": True}}


def test_truths_are_checked(draft):
    with pytest.raises(ValueError, match="on must be true or false, got 1"):
        draft.put("on", 1, Source.CONFIG)
    with pytest.raises(ValueError, match="unknown setting 'raet'"):
        draft.put("raet", 1, Source.CONFIG)
