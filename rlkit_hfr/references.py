"""``module:Class``: how a command line names what somebody else has written."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rlkit_hfr.checks import did_you_mean

if TYPE_CHECKING:
    from typing import TypeGuard  # Python 3.10


def is_reference(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and ":" in name


def load(reference: str, kind: str) -> Any:
    """What ``module:Class`` names. ValueError, of one line, where there is no such thing.

    kind: what it is to be, for the message.
    """
    path, _, name = reference.partition(":")
    if not path or not all(part.isidentifier() for part in (*path.split("."), name)):
        raise ValueError(f"a {kind} of your own is written module:Class, got {reference!r}")
    try:
        module = import_module(path)
    except Exception as error:  # whatever a module does while it is imported
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"can't import the module {path!r} of the {kind} {reference!r} "
            f"({type(error).__name__}: {reason}); "
            "start from the folder that holds it, or put that folder on PYTHONPATH"
        ) from None
    if not hasattr(module, name):
        public = [known for known in vars(module) if not known.startswith("_")]
        raise ValueError(f"the module {path!r} has no {name!r}{did_you_mean(name, public)}")
    return getattr(module, name)


def file_name(name: str) -> str:
    """A name as a part of a file's or a folder's: without ``:`` and ``/``."""
    return name.replace(":", "-").replace("/", "-")
