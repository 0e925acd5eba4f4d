"""rlkit's path: a dict of arrays over T steps. What everything here reads from one, and nothing else."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

PathDict = typing.Mapping[str, Any]  # the arrays, and infos in either format
Info = typing.Mapping[str, Any]  # what a step tells besides: the environment's own
Infos = typing.Union[Info, typing.Sequence[Info]]  # of a path: arrays by name, or step by step


def path_length(path: PathDict) -> int:
    return len(path["rewards"])


def is_truncated(info: Info) -> bool:
    """Whether the environment cut an episode short at this step: the `truncated` of our adapter of
    Gymnasium's environments, or what gym's TimeLimit writes beside ``done=True``. It is no terminal.
    """
    return bool(info.get("truncated", False) or info.get("TimeLimit.truncated", False))


def info_column(path: PathDict, key: str) -> np.ndarray | None:
    """One scalar info of every step as (T, 1) float32, or None if the path has none. Infos
    are a dict of arrays or rlkit's list of dicts.
    """
    infos = path.get("env_infos", {})
    if not isinstance(infos, Mapping):
        in_all = len(infos) > 0 and all(key in info for info in infos)
        infos = {key: [info[key] for info in infos]} if in_all else {}
    return np.reshape(np.asarray(infos[key], np.float32), (-1, 1)) if key in infos else None


def info_rows(path: PathDict) -> list[Info]:
    """The infos of a path step by step, from either format."""
    infos = path.get("env_infos", {})
    if not isinstance(infos, Mapping):
        return list(infos)
    return [{key: values[t] for key, values in infos.items()} for t in range(path_length(path))]


def recorded_rewards(path: PathDict, sparse: bool) -> np.ndarray:
    """The rewards (T, 1) that the context sees: those of the path, or
    ``info["sparse_reward"]``. ValueError if that is missing.
    """
    rewards = (
        info_column(path, "sparse_reward")
        if sparse
        else np.reshape(np.asarray(path["rewards"], np.float32), (-1, 1))
    )
    if rewards is None:
        raise ValueError(
            'sparse_rewards is on but the environment records no info["sparse_reward"]; add it to step\'s'
            " info or turn it off"
        )
    return rewards


class ContextLayout(NamedTuple):
    """The columns of a context row, in this order: observation, action, reward and, where
    the encoder sees it, next observation (PEARL section 4.1; oyster: torch/sac/sac.py,
    sample_context).
    """

    obs_dim: int
    action_dim: int
    with_next_obs: bool = False

    @property
    def obs(self) -> slice:
        return slice(0, self.obs_dim)

    @property
    def action(self) -> slice:
        return slice(self.obs_dim, self.obs_dim + self.action_dim)

    @property
    def reward(self) -> int:
        return self.obs_dim + self.action_dim

    @property
    def next_obs(self) -> slice:
        """Empty where rows have none."""
        return slice(self.reward + 1, self.width)

    @property
    def width(self) -> int:
        return self.reward + 1 + (self.obs_dim if self.with_next_obs else 0)


def context_keys(reward_key: str, with_next_obs: bool) -> list[str]:
    """The columns of a context row by their keys in a batch of a replay buffer."""
    return ["observations", "actions", reward_key, *(["next_observations"] if with_next_obs else [])]


def context_rows(path: PathDict, rewards: np.ndarray, with_next_obs: bool) -> np.ndarray:
    """PEARL's context of a path with these rewards (T,) or (T, 1): rows (T, D) float32
    laid out as `ContextLayout`.
    """
    columns = {**path, "rewards": np.reshape(rewards, (-1, 1))}
    parts = [columns[key] for key in context_keys("rewards", with_next_obs)]
    return np.concatenate([np.asarray(part, np.float32) for part in parts], axis=1)


def pad(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Stack arrays (T_i, D) of different lengths: (N, max T_i, D) float32, zero-padded,
    and the mask (N, max T_i) of true rows.
    """
    lengths = np.array([len(array) for array in arrays])
    mask = np.arange(lengths.max()) < lengths[:, None]
    rows = np.zeros((*mask.shape, arrays[0].shape[1]), np.float32)
    rows[mask] = np.concatenate(arrays)
    return rows, mask


def take_steps(path: PathDict, rows: np.ndarray) -> PathDict:
    """A new path of the steps where the boolean mask `rows` (T,) is True; what is not
    stored per step is carried over.
    """
    return {key: _take(value, rows) for key, value in path.items()}


def _take(value: object, rows: np.ndarray) -> object:
    if isinstance(value, Mapping):
        return {key: _take(item, rows) for key, item in value.items()}
    if isinstance(value, np.ndarray) and value.ndim and len(value) == len(rows):
        return value[rows]
    if isinstance(value, list) and len(value) == len(rows):
        return [value[i] for i in np.flatnonzero(rows)]
    return value
