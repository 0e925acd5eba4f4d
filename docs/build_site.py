"""The documentation as a site that can be read offline, with an API reference from the
docstrings. A warning is an error.

python docs/build_site.py [--out site]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What the reference documents, by page.
REFERENCE = {
    "plugin": ["rlkit_hfr.attach.attach", "rlkit_hfr.attach.Relabeling", "rlkit_hfr.rewards.task_rewards"],
    "relabelers": [
        "rlkit_hfr.relabelers.relabeler",
        "rlkit_hfr.relabelers.registry",
        "rlkit_hfr.relabelers.hfr",
        "rlkit_hfr.relabelers.hfr_bellman",
        "rlkit_hfr.relabelers.hipi",
        "rlkit_hfr.relabelers.hipi_trajectory",
        "rlkit_hfr.relabelers.generalized_hindsight",
        "rlkit_hfr.relabelers.hindsight_goals",
        "rlkit_hfr.relabelers.baselines",
        "rlkit_hfr.scoring.scorer",
    ],
    "pearl": [
        "rlkit_hfr.pearl.config.PEARLConfig",
        "rlkit_hfr.pearl.sac.build_nets",
        "rlkit_hfr.pearl.sac.PEARLSoftActorCritic",
        "rlkit_hfr.pearl.callbacks.Callback",
        "rlkit_hfr.pearl.console.Console",
        "rlkit_hfr.pearl.writers",
    ],
    "mier": ["rlkit_hfr.mier.config", "rlkit_hfr.mier.algorithm", "rlkit_hfr.mier.extrapolation"],
    "environments": [
        "env_wrappers.registry",
        "env_wrappers.base",
        "env_wrappers.checker",
        "env_wrappers.gymnasium_adapter",
    ],
    "functions": ["rlkit_hfr.utility", "rlkit_hfr.distribution", "rlkit_hfr.gaussians"],
}
TITLES = {
    "plugin": "The plugin",
    "relabelers": "Relabelers",
    "pearl": "The built-in PEARL",
    "mier": "MIER",
    "environments": "Task families",
    "functions": "Functions",
}


def pages() -> list[Path]:
    """The Markdown files of the repository that are for readers, but for the reports of
    recorded runs, which have pictures that are not kept.
    """
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    for folder in ("docs", "examples", "benchmarks", "results", "tests"):
        found += sorted(page for page in (ROOT / folder).rglob("*.md") if page.name != "report.md")
    return found


def linked_files(page: Path) -> list[Path]:
    """The files, other than pages, that a page links to or shows."""
    targets = re.findall(r"\]\((?![a-z]+:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    files = [(page.parent / target).resolve() for target in targets]
    return [file for file in files if file.is_file() and file.suffix != ".md"]


def stage(folder: Path) -> None:
    """Copy the pages and what they link to, in the order of the repository, and write the
    pages of the reference.
    """
    for page in pages():
        for file in [page, *linked_files(page)]:
            copy = folder / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    (folder / "api").mkdir()
    for name, objects in REFERENCE.items():
        text = "\n\n".join(f"::: {item}" for item in objects)
        (folder / "api" / f"{name}.md").write_text(f"# {TITLES[name]}\n\n{text}\n")


def build(out: Path) -> int:
    """Build the site into a folder; mkdocs' exit code."""
    with tempfile.TemporaryDirectory() as work:
        source = Path(work) / "pages"
        stage(source)
        config = Path(work) / "mkdocs.yml"
        config.write_text(
            (ROOT / "docs" / "mkdocs.yml").read_text()
            + f"docs_dir: {source}\nsite_dir: {out.resolve()}\n"
            + "plugins:\n  - search\n  - mkdocstrings:\n      handlers:\n        python:\n"
            + f"          paths: [{ROOT}]\n"
            + "          options:\n            show_source: false\n            show_root_heading: true\n"
            + "            show_root_full_path: true\n            members_order: source\n"
            + "            show_if_no_docstring: false\n            merge_init_into_class: true\n"
            + f"            extensions: [{ROOT / 'docs' / 'argument_lists.py'}]\n"
        )
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config)]
        return subprocess.run(command, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}).returncode


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument(
        "--out", type=Path, default=ROOT / "site", metavar="DIR", help="where it goes (default: site/)"
    )
    args = p.parse_args()
    code = build(args.out)
    if code == 0:
        print(
            f"Open {args.out / 'index.html'}; its search needs a server: python -m http.server -d {args.out}"
        )
    return code


if __name__ == "__main__":
    sys.exit(main())
