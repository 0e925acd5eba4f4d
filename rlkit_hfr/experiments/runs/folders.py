"""A run's folder: who may write into it, how a run begins there, and what is cleared away."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rlkit_hfr.files import half_of
from rlkit_hfr.pearl.logger import VARIANT

try:
    import fcntl
except ImportError:  # not on Windows, where folders go without a lock
    fcntl = None  # type: ignore[assignment]

LOCK = "lock"
_TRIES, _PAUSE = 5, 0.02  # seconds
CONSOLE = "console.log"  # where a comparison keeps what a run prints


@contextmanager
def alone_in(run: Path, doing: str = "training") -> Iterator[None]:
    """Within the block no other process may write into this folder.

    ValueError if one does. doing: what it does, for the message.
    """
    if fcntl is None:
        yield
        return
    file = _locked(run, doing)
    try:
        yield  # the system lets go of the lock when the process ends, however it ends
    finally:
        with contextlib.suppress(OSError):
            (run / LOCK).unlink(missing_ok=True)
        os.close(file)


def is_locked(run: Path) -> bool:
    """Whether another process writes into this folder."""
    if fcntl is None:
        return False
    try:
        file = os.open(run / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # for so short that `_locked` tries again
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(file)


def _locked(run: Path, doing: str) -> int:
    """The descriptor of the folder's lock, which is held."""
    tries = 0
    while True:
        file = os.open(run / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                now = os.stat(run / LOCK)
            except FileNotFoundError:  # whoever held it has just removed it
                now = None
            if now is not None and os.path.samestat(now, os.fstat(file)):
                return file
        except BlockingIOError:
            tries += 1
            if tries == _TRIES:
                os.close(file)
                raise ValueError(f"another process is {doing} in {run}; wait for it, or stop it") from None
            time.sleep(_PAUSE)  # somebody who looks whether it is locked holds it for a moment
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def begin(
    where: Path, make: Callable[[], Path], write: Callable[[Path], None], lock: contextlib.ExitStack
) -> Path:
    """Make a run's folder, lock it and write its first files; returns the folder.

    What was made is removed again if one of these fails. where: the folder, or the one
    that gets it. lock: what lets go of the lock in the end. ValueError if the folder
    is not empty.
    """
    made = [folder for folder in (where, *where.parents) if not folder.exists()]
    ours = False
    folder: Path | None = None
    try:
        folder = make()
        if folder not in made and folder != where:
            made.insert(0, folder)
        _refuse_unless_empty(folder)
        lock.enter_context(alone_in(folder))
        _refuse_unless_empty(folder)
        ours = True
        clear_away(folder)
        write(folder)
        return folder
    except BaseException:
        if ours and folder is not None:
            _remove_files(folder)
        lock.close()
        for empty in made:
            with contextlib.suppress(OSError):  # somebody else's files are in it
                empty.rmdir()
        raise


def _refuse_unless_empty(folder: Path) -> None:
    held = sorted({entry.name for entry in os.scandir(folder)} - _of_a_start(folder))
    if "variant.json" in held or "progress.csv" in held:
        raise ValueError(
            f"--run-dir {folder} holds a run already; go on with it by --resume, or give another folder"
        )
    if held:
        raise ValueError(
            f"--run-dir {folder} must be empty or new, and holds {', '.join(held[:3])}"
            f"{', ...' if len(held) > 3 else ''}; give another folder"
        )


def _of_a_start(folder: Path) -> set[str]:
    """Names in a folder that a start which was killed at once leaves: its lock, which is
    empty, and beside it half of the settings. Whatever else has these names is somebody's.
    """
    found = {CONSOLE}
    with contextlib.suppress(OSError):
        lock = os.lstat(folder / LOCK)
        if stat.S_ISREG(lock.st_mode) and lock.st_size == 0:
            found |= {LOCK, *(name for name in os.listdir(folder) if half_of(name) == VARIANT)}
    return found


def _remove_files(folder: Path) -> None:
    """All but what was there before a start in an empty folder."""
    for entry in list(os.scandir(folder)):
        if entry.name not in (LOCK, CONSOLE) and entry.is_file(follow_symlinks=False):
            with contextlib.suppress(OSError):
                os.unlink(entry.path)


def clear_away(folder: Path) -> None:
    """Remove halves of files that a killed process left."""
    for place in (folder, folder / "relabeling"):
        for name in os.listdir(place) if place.is_dir() else ():
            if half_of(name) is not None:
                with contextlib.suppress(OSError):
                    (place / name).unlink()
