"""Do what docs/attach.md says, word for word: its sections "step by step", in an empty folder.

``python tests/hosts/walk_attach.py [--clones DIR] [oyster] [rlkit]``. It needs a Python
3.8 and a package index; the exit code is 0 if both algorithms trained with relabeling.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "attach.md"
REPOSITORIES = {
    "oyster": "https://github.com/katerakelly/oyster",
    "rlkit": "https://github.com/rail-berkeley/rlkit",
}
_BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)


def script_of(page: str, host: str) -> str:
    """The section of a host as one shell script: commands as they stand, files written,
    edits made. ValueError if the page has no such section.
    """
    found = re.search(rf"^## {host}, step by step\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{PAGE} has no section '## {host}, step by step'")
    return "\n".join(map(_commands, _BLOCK.finditer(found.group(1))))


def _commands(block: re.Match[str]) -> str:
    if block["file"]:
        return f"cat > {shlex.quote(block['file'])} <<'END-OF-FILE'\n{block['text']}END-OF-FILE"
    if block["kind"] == "bash":
        return block["text"]
    python, this = shlex.quote(sys.executable), shlex.quote(str(Path(__file__).resolve()))
    return f"{python} {this} --apply <<'END-OF-EDIT'\n{block['text']}END-OF-EDIT"


def apply_edit(text: str) -> None:
    """``--- FILE``, then lines with + to insert above the line of the file that follows them, which
    must be there once.
    """
    name, *lines = text.splitlines()
    file, new = Path(name[len("--- ") :]), []
    content = file.read_text().splitlines(keepends=True)
    for line in lines:
        if line.startswith("+"):
            new.append(line[1:] + "\n")
            continue
        places = [i for i, old in enumerate(content) if old.rstrip("\n") == line[1:]]
        if len(places) != 1:
            raise ValueError(f"{file} has the line {line[1:]!r} {len(places)} times, expected once")
        content[places[0] : places[0]] = new
        new = []
    file.write_text("".join(content))


def environment(home: Path, clones: Path | None) -> dict[str, str]:
    """A home folder with a copy of this repository; GitHub's addresses lead to `clones`."""
    files = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    for name in filter(None, files):
        target = home / "rlkit-hfr" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    cache = subprocess.check_output([sys.executable, "-m", "pip", "cache", "dir"], text=True).strip()
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    pythons = [str(folder / "bin") for folder in sorted(pyenv.glob("3.8.*"))]
    settings = {
        f"url.{clones / host}.insteadOf": url for host, url in REPOSITORIES.items() if clones is not None
    }
    git = {"GIT_CONFIG_COUNT": str(len(settings))}
    for i, (key, value) in enumerate(settings.items()):
        git.update({f"GIT_CONFIG_KEY_{i}": key, f"GIT_CONFIG_VALUE_{i}": value})
    path = os.pathsep.join([*pythons, os.environ["PATH"]])
    plain = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**plain, **git, "HOME": str(home), "PIP_CACHE_DIR": cache, "PATH": path}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hosts", nargs="*", default=list(REPOSITORIES), help="oyster, rlkit or both")
    parser.add_argument("--clones", type=Path, help="folder with the clones oyster and rlkit")
    parser.add_argument("--apply", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.apply:
        apply_edit(sys.stdin.read())
        return 0
    clones = None if args.clones is None else args.clones.resolve()
    for host in args.hosts:
        with tempfile.TemporaryDirectory() as folder:
            command = ["bash", "-euxo", "pipefail", "-c", script_of(PAGE.read_text(), host)]
            surroundings = environment(Path(folder), clones)
            code = subprocess.run(command, cwd=folder, env=surroundings, check=False).returncode
        print(f"{host}: {'trains' if code == 0 else f'failed, exit code {code}'}")
        if code:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
