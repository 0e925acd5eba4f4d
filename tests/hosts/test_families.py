"""To which family an algorithm belongs."""

from __future__ import annotations

import pytest
from standin_families import OysterLike, RlkitLike

from rlkit_hfr.hosts.families import OysterHost, RlkitHost, find_host


def test_the_family_that_lacks_least_is_found_unless_one_is_named():
    assert find_host(OysterLike(), None) is OysterHost
    assert find_host(RlkitLike(), None) is RlkitHost
    assert find_host(OysterLike(), "rlkit") is RlkitHost
    algorithm = RlkitLike()
    del algorithm.trainer.qf1  # one network missing is less than two
    assert find_host(algorithm, None) is RlkitHost
    assert find_host(object(), None) is OysterHost
    with pytest.raises(ValueError, match=r"unknown host 'rlkti' \(did you mean 'rlkit'\?\); known: oyster"):
        find_host(algorithm, "rlkti")


def test_what_is_missing_is_listed():
    algorithm = RlkitLike()
    del algorithm.trainer.qf2
    algorithm.env = None
    assert RlkitHost.missing(algorithm) == ["env", "qf2"]
    assert OysterHost.missing(algorithm) == ["env", "qf1", "qf2"]
