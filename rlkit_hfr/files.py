"""Files that are whole or not there: written under another name first, read only when every byte is what was
written."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch

from rlkit_hfr.signals import undone_on_interrupt, without_interrupts

_SEAL = b"sha256:"
_SEAL_SIZE = len(_SEAL) + 64
# zip's record of the end; 22 bytes, of which the last two say how long a comment
# follows
_ARCHIVE_END = b"PK\x05\x06"
_ARCHIVE_END_SIZE = 22
_CHUNK = 1 << 20
_LETTERS = 40  # of a name of up to 255 bytes
_HALF = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write what `path` shall hold. At any moment `path` is the old file or,
    after the block, the new one. No other file is touched.

    After an error there is no new file. A process that is killed within leaves a half,
    which `half_of` recognises.
    """
    partial = _half(path)
    try:
        with open(partial, "x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _half(path: Path) -> Path:
    """Where what `path` shall hold is written first: a name that nobody has."""
    return path.with_name(f".{path.name[:_LETTERS]}.{os.urandom(4).hex()}.partial")


def half_of(name: str) -> str | None:
    """The name of the file, its first letters, that a killed process had half written into
    one called `name`; None if this is no such half.
    """
    found = _HALF.fullmatch(name)
    return None if found is None else found[1]


def check_writable(path: Path) -> None:
    """OSError if `path` can't be written or is no regular file: for what else would be
    known after hours. Nothing is changed.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, "it is no regular file", str(path))
    except FileNotFoundError:
        pass
    partial = _half(path)
    try:
        open(partial, "xb").close()
    except OSError as error:  # the system's words, of the file that the user named
        raise OSError(error.errno, error.strerror, str(path)) from None
    partial.unlink()


def write_text(path: Path, text: str) -> None:
    """Replace the content of a text file."""
    with replacing(path) as file:
        file.write(text.encode())


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Another folder to write the files into that shall be in `folder`, which is made if
    it is new. They are moved there after the block, all of them.

    After an error or an interrupt all is as it was before.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    partial: Path | None = None

    def undo() -> None:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        for place in made:
            with suppress(OSError):  # somebody else's files are in it
                place.rmdir()

    with undone_on_interrupt(undo):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with without_interrupts():
                partial = _partial_in(folder)
            yield partial
            with without_interrupts():
                for file in sorted(partial.iterdir()):
                    os.replace(file, folder / file.name)
                partial.rmdir()
        except BaseException:
            undo()
            raise


def _partial_in(folder: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
    except OSError as error:  # the system's words, of the folder that the user named
        raise OSError(error.errno, error.strerror, str(folder)) from None


def open_plain(path: Path, most_bytes: int | None = None) -> BinaryIO:
    """A file to read. OSError unless it is a regular one, of at most so many bytes: a pipe
    would never answer.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    if most_bytes is not None and found.st_size > most_bytes:
        os.close(descriptor)
        what = f"it has {found.st_size:,} bytes, more than the {most_bytes:,} that such a file may have"
        raise OSError(errno.EFBIG, what, str(path))
    return os.fdopen(descriptor, "rb")


def save_sealed(path: Path, content: Mapping[str, object]) -> None:
    """``torch.save`` with a checksum of every byte; `path` is at any moment the old file
        or the new one, whole.

    The checksum is the comment of the zip archive, so that ``torch.load`` reads the
    file like any other. OSError if it can't be written.
    """
    try:
        with replacing(path) as file:
            torch.save(dict(content), file)
            _seal(file)
    except RuntimeError as error:  # torch's word for a write that failed, around the system's own
        system = OSError(errno.EIO, "the disk does not take it; is it full?")
        if isinstance(error.__context__, OSError):
            system = error.__context__
        raise OSError(system.errno, system.strerror, str(path)) from error


def load_sealed(path: Path) -> tuple[Any, bool]:
    """What a file of `save_sealed` holds, on the CPU, and whether it has a checksum: older files have none.

    ValueError, before anything in it is used, if it is damaged or holds more than
    tensors and plain values; OSError if it can't be read.
    """
    with open_plain(path) as file:
        sealed = _verify(file)
        file.seek(0)
        try:
            return torch.load(file, map_location="cpu", weights_only=True), sealed
        except MemoryError:
            raise
        # torch raises whatever a foreign archive or a forbidden object happens to trip
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(reason[:120]) from None


def _seal(file: BinaryIO) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(size - _ARCHIVE_END_SIZE)
    end = file.read(_ARCHIVE_END_SIZE)
    if end[:4] != _ARCHIVE_END or end[-2:] != b"\0\0":
        raise OSError(errno.EIO, "the file does not end as it was written; is the disk full?")
    file.seek(size - 2)
    file.write(struct.pack("<H", _SEAL_SIZE))
    digest = _digest(file, size)
    file.seek(size)
    file.write(_SEAL + digest.encode())


def _verify(file: BinaryIO) -> bool:
    """Whether the file is sealed. ValueError if its bytes are not those that were written."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _SEAL_SIZE))
    tail = file.read()
    if tail.startswith(_SEAL):
        if _digest(file, size - _SEAL_SIZE).encode() != tail[len(_SEAL) :]:
            raise ValueError("its checksum is another")
        return True
    end = tail[-_ARCHIVE_END_SIZE:]
    if end[:4] != _ARCHIVE_END or end[-2:] != b"\0\0":
        raise ValueError("it does not end like a whole file")
    try:
        with zipfile.ZipFile(file) as archive:
            wrong = archive.testzip()
    except Exception as error:  # zipfile raises whatever a damaged directory happens to trip
        raise ValueError(f"its archive is broken: {error}") from None
    if wrong is not None:
        raise ValueError(f"the checksum of its part {wrong} is another")
    return False


def _digest(file: BinaryIO, size: int) -> str:
    """SHA-256 of the first `size` bytes."""
    file.seek(0)
    digest = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(_CHUNK, size))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()
