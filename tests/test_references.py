"""What somebody else has written, by module:Class."""

from __future__ import annotations

import pytest

from rlkit_hfr.references import file_name, is_reference, load


def test_a_reference_is_a_text_with_a_colon():
    assert is_reference("module:Class")
    assert not any(is_reference(name) for name in ("hfr", "", None, 5, ["a:b"]))


def test_what_a_reference_names_is_imported():
    from collections import OrderedDict

    assert load("collections:OrderedDict", "relabeler") is OrderedDict


@pytest.mark.parametrize("reference", [":Class", "module:", "a:b:c", "a b:C", "a..b:C", "1:C"])
def test_what_is_no_name_of_python_is_refused(reference):
    with pytest.raises(ValueError, match="a relabeler of your own is written module:Class, got"):
        load(reference, "relabeler")


def test_a_module_that_can_not_be_imported_is_said_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "broken_reference.py").write_text("raise RuntimeError('first\\nsecond')")
    monkeypatch.syspath_prepend(tmp_path)
    for reference, reason in (
        ("no_such_module:C", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("broken_reference:C", "RuntimeError: first second"),
    ):
        with pytest.raises(ValueError) as raised:
            load(reference, "task family")
        message = str(raised.value)
        assert f"of the task family {reference!r} ({reason}" in message
        assert "PYTHONPATH" in message and "\n" not in message


def test_a_missing_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="'collections' has no 'OrderdDict' .did you mean 'OrderedDict'"):
        load("collections:OrderdDict", "relabeler")


def test_a_name_as_a_part_of_a_files_name():
    assert file_name("my.module:Class/2") == "my.module-Class-2"
