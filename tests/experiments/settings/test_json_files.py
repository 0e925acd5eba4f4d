"""JSON files of settings, and what none of them is."""

from __future__ import annotations

import pytest

from rlkit_hfr.experiments.settings.json_files import MOST_BYTES, check_depth, load_object, read_object


def _nested(levels):
    value = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def test_depth_is_counted_through_lists_and_objects():
    check_depth(_nested(19))
    with pytest.raises(ValueError, match="deeper than 20 levels"):
        check_depth(_nested(20))


def test_an_object_is_read_as_it_stands(tmp_path):
    file = tmp_path / "a.json"
    file.write_text('{"a": [1, 2.5, null, true], "b": {"c": "ä"}}')
    assert read_object(file) == load_object(file) == {"a": [1, 2.5, None, True], "b": {"c": "ä"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "must hold one JSON object, got list"),
        ('{"a": 1, "a": 2}', "'a' stands there twice"),
        ('{"a": {"b": 1, "b": 1}}', "'b' stands there twice"),
        ('{"a": ' + "1" * 31 + "}", "a number of 31 digits"),
        ('{"a": ' + "[" * 100_000, "nested deeper than 20 levels|not valid JSON"),
        ('{"a": ' + "[" * 30 + "]" * 30 + "}", "nested deeper than 20 levels"),
        ("{", "is not valid JSON"),
    ],
)
def test_what_is_no_object_of_settings_is_refused(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_object(tmp_path / "a.json")


def test_a_file_that_can_not_be_read_is_named_with_advice(tmp_path):
    with pytest.raises(ValueError, match=r"can't read the config .*none.json: No such file.*; give another"):
        load_object(tmp_path / "none.json", "the config ", "give another")
    (tmp_path / "huge.json").write_bytes(b" " * (MOST_BYTES + 1))
    with pytest.raises(ValueError, match="huge.json"):
        load_object(tmp_path / "huge.json")
