"""The documentation's site: complete, without a warning, readable offline."""

from __future__ import annotations

import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SITE = runpy.run_path(str(ROOT / "docs" / "build_site.py"))
CONFIG = (ROOT / "docs" / "mkdocs.yml").read_text()


def test_the_contents_name_pages_that_there_are():
    listed = set(re.findall(r": ([\w/-]+\.md)$", CONFIG, re.MULTILINE))
    pages = {str(page.relative_to(ROOT)) for page in SITE["pages"]()}
    assert len(listed) > 15
    assert listed <= pages | {f"api/{name}.md" for name in SITE["REFERENCE"]}


def test_what_pages_show_is_staged_with_them(tmp_path):
    SITE["stage"](tmp_path)
    for page in tmp_path.rglob("*.md"):
        for target in re.findall(r"\]\((?![a-z]+:)([^)#\s]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
    assert (tmp_path / "docs" / "gallery" / "sawyer-push.png").exists()


def test_the_reference_names_what_exists():
    for name in (item for items in SITE["REFERENCE"].values() for item in items):
        parent, _, last = name.rpartition(".")
        try:
            import_module(name)
        except ModuleNotFoundError:
            assert hasattr(import_module(parent), last), name


def test_the_site_builds_without_a_warning(tmp_path):
    for module in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(module, reason="pip install mkdocs-material 'mkdocstrings[python]'")
    assert SITE["build"](tmp_path / "site") == 0
    plugin = (tmp_path / "site" / "api" / "plugin.html").read_text()
    assert "relabel_fraction" in plugin
    home = (tmp_path / "site" / "index.html").read_text()
    loaded = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"(https?:[^\"]*)", home)
    assert [address for address in loaded if not address.startswith("https://github.com")] == []
