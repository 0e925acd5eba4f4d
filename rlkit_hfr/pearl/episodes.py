"""Episodes that run side by side, gathered into rlkit's paths."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from rlkit_hfr.paths import Info, Infos, PathDict
from rlkit_hfr.pearl.stepping import Steps


class Episodes:
    """N episodes that begin together; each ends at its own terminal, where the environment
    truncates it, or at `max_path_length`.
    """

    def __init__(self, obs: np.ndarray, max_path_length: int) -> None:
        """obs: (N, S), the first observations."""
        self._dtype = np.uint8 if obs.dtype == np.uint8 else np.float32
        self._first = obs.astype(self._dtype, copy=False)
        self.obs = self._first.copy()  # the last of each episode
        self.active = list(range(len(obs)))  # those that go on
        self._max_path_length = max_path_length
        self._rows: list[int] = []  # of each step of any episode, in the order of time, whose it is
        # in the same order, name -> (active, ...) a time
        self._columns: dict[str, list[np.ndarray]] = defaultdict(list)
        self._figures: dict[str, list[np.ndarray]] = defaultdict(list)
        self._infos: list[list[Info]] = [[] for _ in obs]
        self._times = 0
        self._last_actions: np.ndarray | None = None  # (N, A)

    def stuck(self, actions: np.ndarray, again: np.ndarray) -> np.ndarray:
        """Actions (active, A) of the active episodes; where `again` (active,) holds, the one that the
        episode had before, if it had one.
        """
        if self._last_actions is None:
            self._last_actions = actions.copy()
        else:
            actions = np.where(again[:, None], self._last_actions[self.active], actions)
            self._last_actions[self.active] = actions
        return actions

    def append(self, actions: np.ndarray, steps: Steps) -> None:
        """A step of the active episodes, in their order."""
        next_obs = steps.next_obs.astype(self._dtype, copy=False)
        self.obs[self.active] = next_obs
        self._rows += self.active
        columns = {
            "actions": actions,
            "rewards": steps.rewards,
            "terminals": steps.terminals,
            "next_observations": next_obs,
        }
        for kept, new in ((self._columns, columns), (self._figures, steps.figures)):
            for name, values in new.items():
                kept[name].append(values)
        for i, info in zip(self.active, steps.infos, strict=True):
            self._infos[i].append(info)
        self._times += 1
        ended = steps.terminals if steps.truncated is None else steps.terminals | steps.truncated
        over = ended.tolist() if self._times < self._max_path_length else [True] * len(self.active)
        self.active = [i for i, done in zip(self.active, over, strict=True) if not done]

    def paths(self, latents: np.ndarray) -> list[PathDict]:
        """One path per episode; latents: (N, Z), what each acted on. Empties this object,
        so that nothing is held twice.
        """
        rows, (columns, figures) = (
            np.array(self._rows),
            (_joined(kept) for kept in (self._columns, self._figures)),
        )
        return [
            self._path(i, np.flatnonzero(rows == i), columns, figures, latent)
            for i, latent in enumerate(latents)
        ]

    def _path(
        self,
        i: int,
        rows: np.ndarray,
        columns: Mapping[str, np.ndarray],
        figures: Mapping[str, np.ndarray],
        latent: np.ndarray,
    ) -> PathDict:
        length, own = len(rows), self._infos[i]
        next_obs, terminals = columns["next_observations"][rows], columns["terminals"][rows, None]
        timeouts = np.zeros((length, 1), bool)
        timeouts[-1] = not terminals[-1]  # else it ended by itself
        return dict(
            observations=np.concatenate([self._first[i, None], next_obs[:-1]]),
            actions=columns["actions"][rows].astype(np.float32, copy=False),
            rewards=columns["rewards"][rows, None],
            next_observations=next_obs,
            terminals=terminals,
            timeouts=timeouts,
            agent_infos={},
            env_infos=_gathered(own, {name: values[rows] for name, values in figures.items()}),
            context=latent,
        )


def _gathered(infos: Sequence[Info], figures: Mapping[str, np.ndarray]) -> Infos:
    """The infos of an episode and these figures of it as arrays by name. Where steps tell other things
    than the first, or in other shapes, rlkit's list of dicts.
    """
    alike = all(info.keys() == infos[0].keys() for info in infos)
    try:
        arrays = {key: np.asarray([info[key] for info in infos]) for key in infos[0]} if alike else None
    except ValueError:  # entries of different shapes
        arrays = None
    if arrays is not None:
        return {**figures, **arrays}
    return [{**{key: values[t] for key, values in figures.items()}, **info} for t, info in enumerate(infos)]


def _joined(kept: dict[str, list[np.ndarray]]) -> dict[str, np.ndarray]:
    """Each column in one array; what it was made of is let go."""
    return {name: np.concatenate(kept.pop(name)) for name in list(kept)}
