"""Modules that are imported and not used: what stands in for them, and what it says when it is used."""

from __future__ import annotations

import sys

import pytest

from rlkit_hfr import stand_in

MISSING = ("missing_physics", "missing_physics.envs")


@pytest.fixture(autouse=True)
def _forget():
    yield
    for name in MISSING:
        sys.modules.pop(name, None)


def test_missing_modules_are_imported_and_derived_from():
    assert stand_in("json", *MISSING) == list(MISSING)
    assert sys.modules["json"].loads("1") == 1
    import missing_physics.envs
    from missing_physics.envs import Walker

    class Mine(Walker):
        pass

    assert missing_physics.envs.anything.nested.__name__ == "nested"
    with pytest.raises(ImportError, match=r"Mine needs missing_physics\.envs.*install the real one"):
        Mine()
    with pytest.raises(ImportError, match="missing_physics"):
        missing_physics.load_model("ant.xml")


def test_what_stands_in_needs_no_other():
    stand_in(*MISSING)
    assert stand_in(*MISSING) == []


def test_without_names_those_of_oyster_and_rlkit_are_meant(monkeypatch):
    for name in ("rand_param_envs", "rlkit.launchers.conf_private"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = dict(sys.modules)
    try:
        needed = stand_in()
        assert "rlkit.launchers.conf_private" in needed
        assert sys.modules["rlkit.launchers.conf_private"].AWS_S3_PATH == ""
        assert all(name in sys.modules for name in needed)
    finally:
        for name in set(sys.modules) - set(before):
            del sys.modules[name]
