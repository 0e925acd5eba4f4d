"""Episodes that run side by side, gathered into rlkit's paths."""
from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from rlkit_hfr.pearl.stepping import Steps


class Episodes:
    """N episodes that begin together; each ends at its own terminal, or at `max_path_length`."""

    def __init__(self, obs: np.ndarray, max_path_length: int) -> None:
        """obs: (N, S), the first observations."""
        self._dtype = np.uint8 if obs.dtype == np.uint8 else np.float32
        self.obs = obs.astype(self._dtype)  # the last of each episode
        self.active = list(range(len(obs)))  # those that go on
        self._max_path_length = max_path_length
        self._lengths = np.zeros(len(obs), int)
        self._observations = [self.obs]
        self._columns: dict[str, list[np.ndarray]] = defaultdict(list)  # name -> of each step (N, ...)
        self._infos: dict[str, list[np.ndarray]] = {}

    def append(self, actions: np.ndarray, steps: Steps) -> None:
        """A step of the active episodes, in their order."""
        self.obs = self._of_all(steps.next_obs.astype(self._dtype))
        self._observations.append(self.obs)
        for name, values in (("actions", actions), ("rewards", steps.rewards), ("terminals", steps.terminals)):
            self._columns[name].append(self._of_all(values))
        self._infos = self._infos or {name: [] for name in steps.infos}
        for name, rows in self._infos.items():
            rows.append(self._of_all(steps.infos[name]))
        self._lengths[self.active] += 1
        over = steps.terminals.tolist() if len(self._columns["actions"]) < self._max_path_length else [True] * len(self.active)
        self.active = [i for i, ended in zip(self.active, over, strict=True) if not ended]

    def _of_all(self, values: np.ndarray) -> np.ndarray:
        """Rows of the active episodes among rows of all."""
        if len(self.active) == len(self._lengths):
            return values
        spread = np.zeros((len(self._lengths), *values.shape[1:]), values.dtype)
        spread[self.active] = values
        return spread

    def paths(self, latents: np.ndarray) -> list[dict[str, Any]]:
        """One path per episode; latents: (N, Z), what each acted on."""
        obs = np.stack(self._observations)
        columns = {name: np.stack(rows) for name, rows in self._columns.items()}
        infos = {name: np.stack(rows) for name, rows in self._infos.items()}
        paths = []
        for i, (length, latent) in enumerate(zip(self._lengths, latents, strict=True)):
            terminals = columns["terminals"][:length, i, None]
            timeouts = np.zeros((length, 1), bool)
            timeouts[-1] = length == self._max_path_length and not terminals[-1]
            own = {
                "observations": obs[:length, i],
                "actions": columns["actions"][:length, i].astype(np.float32),
                "rewards": columns["rewards"][:length, i, None],
                "next_observations": obs[1 : length + 1, i],
                "terminals": terminals,
                "timeouts": timeouts,
            }
            paths.append(dict(
                **{name: values.copy() for name, values in own.items()}, agent_infos={},
                env_infos={name: rows[:length, i].copy() for name, rows in infos.items()}, context=latent,
            ))  # fmt: skip
        return paths
