"""Recorded paths for a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable

from rlkit_hfr.paths import PathDict
from rlkit_hfr.state import State, as_tensor, is_numeric, plain, restored


def path_states(paths: Iterable[PathDict]) -> list[State]:
    """The arrays and the infos of the paths. A path whose infos hold an object that no checkpoint can hold
    is left out: without them it could not be rewarded again.
    """
    states = []
    for path in paths:
        arrays = {key: as_tensor(value) for key, value in path.items() if is_numeric(value)}
        try:
            states.append(dict(path=arrays, env_infos=plain(path.get("env_infos", {}))))
        except TypeError:
            continue
    return states


def paths_from(states: Iterable[State]) -> list[PathDict]:
    """The paths of `path_states`."""
    return [
        {
            **{key: value.numpy() for key, value in state["path"].items()},
            "env_infos": restored(state["env_infos"]),
        }
        for state in states
    ]
