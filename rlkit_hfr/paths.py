"""rlkit's path: a dict of arrays over T steps. What everything here reads from one, and nothing else."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Path = Mapping[str, Any]


def path_length(path: Path) -> int:
    return len(path["rewards"])


def info_column(path: Path, key: str) -> np.ndarray | None:
    """One scalar info of every step as (T, 1) float32, or None if the path has none. Infos are a dict of arrays or rlkit's list of dicts."""
    infos = path.get("env_infos", {})
    if not isinstance(infos, Mapping):
        infos = {key: [info[key] for info in infos]} if len(infos) and key in infos[0] else {}
    return np.reshape(np.asarray(infos[key], np.float32), (-1, 1)) if key in infos else None


def info_rows(path: Path) -> list[Mapping[str, Any]]:
    """The infos of a path step by step, from either format."""
    infos = path.get("env_infos", {})
    if not isinstance(infos, Mapping):
        return list(infos)
    return [{key: values[t] for key, values in infos.items()} for t in range(path_length(path))]


def recorded_rewards(path: Path, sparse: bool) -> np.ndarray:
    """The rewards (T, 1) that the context sees: those of the path, or ``info["sparse_reward"]``. ValueError if that is missing."""
    rewards = info_column(path, "sparse_reward") if sparse else np.reshape(np.asarray(path["rewards"], np.float32), (-1, 1))
    if rewards is None:
        raise ValueError('sparse_rewards is on but the environment records no info["sparse_reward"]; add it to step\'s info or turn it off')
    return rewards


def context_rows(path: Path, rewards: np.ndarray, use_next_obs: bool) -> np.ndarray:
    """PEARL's context of a path: (T, S + A + 1 [+ S]) float32 rows of observation, action, reward and, if asked for, next observation."""
    parts = [path["observations"], path["actions"], np.reshape(rewards, (-1, 1))]
    if use_next_obs:
        parts.append(path["next_observations"])
    return np.concatenate([np.asarray(part, np.float32) for part in parts], axis=1)


def pad(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Stack arrays (T_i, D) of different lengths: (N, max T_i, D) float32, zero-padded, and the mask (N, max T_i) of true rows."""
    lengths = np.array([len(array) for array in arrays])
    mask = np.arange(lengths.max()) < lengths[:, None]
    rows = np.zeros((*mask.shape, arrays[0].shape[1]), np.float32)
    rows[mask] = np.concatenate(arrays)
    return rows, mask


def take_steps(path: Path, rows: np.ndarray) -> dict[str, Any]:
    """A new path of the steps where the boolean mask `rows` (T,) is True; what is not stored per step is carried over."""
    return {key: _take(value, rows) for key, value in path.items()}


def _take(value: Any, rows: np.ndarray) -> Any:
    if isinstance(value, Mapping):
        return {key: _take(item, rows) for key, item in value.items()}
    if isinstance(value, np.ndarray) and value.ndim and len(value) == len(rows):
        return value[rows]
    if isinstance(value, list) and len(value) == len(rows):
        return [value[i] for i in np.flatnonzero(rows)]
    return value
