"""For the site's reference: the arguments in a docstring become a list, an item each, and
the comment of a field becomes its description.
"""

from __future__ import annotations

import re
from typing import Any

import griffe


class ArgumentLists(griffe.Extension):
    """Docstrings say ``name: what it is`` of the arguments that need it, one after the
    other; a page reads better with a line each.
    """

    def on_function_instance(self, *, func: griffe.Function, **kwargs: Any) -> None:
        if func.docstring is not None:
            func.docstring.value = itemised(func.docstring.value, [p.name for p in func.parameters])

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        of_class = attr.parent is not None and attr.parent.is_class and attr.annotation is not None
        if of_class and attr.docstring is None and attr.lineno is not None:
            comment = comment_of(attr.filepath.read_text().splitlines(), attr.lineno)
            attr.docstring = griffe.Docstring(comment, parent=attr) if comment else None


def comment_of(lines: list[str], number: int) -> str:
    """The comment behind the code of a line (numbered from 1), or in the lines above it."""
    _, found, behind = lines[number - 1].partition("  # ")
    above = []
    while not found and number > 1 and lines[number - 2].lstrip().startswith("# "):
        number -= 1
        above.insert(0, lines[number - 1].strip().removeprefix("# "))
    return behind if found else " ".join(above)


def itemised(text: str, names: list[str]) -> str:
    """The text with a Markdown list item for each ``name: ``."""
    known = "|".join(re.escape(name.lstrip("*")) for name in names)
    return re.sub(rf"(?:^|\s+)\b({known}): ", r"\n\n* `\1`: ", text) if known else text
