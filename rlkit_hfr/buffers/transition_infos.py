"""What was recorded of each stored transition besides what a host's buffer keeps."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping

import numpy as np

from rlkit_hfr.paths import Infos, PathDict, path_length
from rlkit_hfr.protocols import Batch
from rlkit_hfr.state import State, as_tensor, is_numeric, plain, restored

_IDENTITY = ("observations", "actions", "next_observations")


class TransitionInfos:
    """The infos of transitions, found by the transitions themselves: hosts' buffers give rows back, and not
    where they stand.

    A transition is known by a hash of its observation, action and next observation in single precision.
    Infos stay when a host overwrites the transition: 8 bytes and the infos for each that was ever stored.
    """

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._columns: dict[str, np.ndarray] = {}
        self._size = 0
        self._begun = False

    def note(self, path: PathDict) -> None:
        """A path that is being stored.

        Kept are the infos of the first path. A path that lacks one is left out; an info that has another
        shape than in the first path, such as a list of contacts, is given up: batches can't hold it.
        """
        steps = path_length(path)
        infos = _by_name(path.get("env_infos", {}), steps)
        if not self._begun:
            self._begun = True
            self._columns = {key: value[:0] for key, value in infos.items() if value is not None}
        if not self._columns.keys() <= infos.keys():
            return
        for key, column in list(self._columns.items()):
            value = infos[key]
            if value is None or value.shape[1:] != column.shape[1:]:
                del self._columns[key]
                warnings.warn(
                    f"the info {key!r} differs in shape from path to path, and batches can't hold it:"
                    " relabeling of sampled batches goes on without it; if rewards need it, choose a"
                    " relabeler of paths, such as 'hipi'",
                    stacklevel=2,
                )
                continue
            column = self._columns[key] = self._with_room(column, steps, value.dtype)
            column[self._size : self._size + steps] = value
        self._rows.update(zip(_hashes(path), range(self._size, self._size + steps)))
        self._size += steps

    def _with_room(self, column: np.ndarray, steps: int, kind: np.dtype) -> np.ndarray:
        """The column, which may be a larger one, with room for `steps` entries that are of a kind."""
        kind = np.result_type(column.dtype, kind)
        full = len(column) < self._size + steps
        if not full and kind == column.dtype:
            return column
        length = max(256, 2 * (self._size + steps)) if full else len(column)
        grown = np.empty((length, *column.shape[1:]), kind)
        grown[: self._size] = column[: self._size]
        return grown

    def of(self, batch: Batch) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Which rows of a batch are known, (R,) bool, and the infos of all R; those of rows that are not
        known mean nothing."""
        places = np.array([self._rows.get(key, -1) for key in _hashes(batch)])
        if not (places >= 0).any():
            return places >= 0, {}
        return places >= 0, {key: column[places] for key, column in self._columns.items()}

    def state_dict(self) -> State:
        """TypeError if infos hold objects that no checkpoint can hold."""
        rows = np.array(list(self._rows.items()), np.int64).reshape(-1, 2)
        columns = {key: plain(column[: self._size]) for key, column in self._columns.items()}
        return dict(rows=as_tensor(rows), columns=columns, size=self._size, begun=self._begun)

    def load_state_dict(self, state: State) -> None:
        self._rows = dict(state["rows"].tolist())
        self._columns = {key: restored(column).copy() for key, column in state["columns"].items()}
        self._size = state["size"]
        self._begun = state["begun"]


def _hashes(rows: PathDict) -> list[int]:
    """One signed number of 64 bits for each transition."""
    parts = [np.asarray(rows[key], np.float32) for key in _IDENTITY]
    joined = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    return [
        int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "little", signed=True)
        for row in np.ascontiguousarray(joined)
    ]


def _by_name(infos: Infos, steps: int) -> dict[str, np.ndarray | None]:
    """Infos of a path as one array for each name, with an entry for each of the steps: of numbers, or of
    objects, as texts are, whose lengths differ from path to path. None for what is no such array."""
    if not isinstance(infos, Mapping):
        names = set.intersection(*(set(info) for info in infos)) if len(infos) else set()
        infos = {name: [info[name] for info in infos] for name in names}
    return {name: _column(value, steps) for name, value in infos.items()}


def _column(value: object, steps: int) -> np.ndarray | None:
    try:
        array = np.asarray(value)
    except ValueError:  # entries of different shapes
        return None
    if not array.ndim or len(array) != steps:
        return None
    return array if is_numeric(array) else array.astype(object)
