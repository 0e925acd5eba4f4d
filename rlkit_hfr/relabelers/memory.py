"""What scoring needs to know of each task's data: some of its trajectories and of its initial states."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlkit_hfr.state import State, as_tensor, rng_state, set_rng_state


class Reservoir:
    """A uniform sample of at most `capacity` of the arrays added so far (Vitter's algorithm R)."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.seen = 0
        self.items: list[np.ndarray] = []

    def add(self, item: np.ndarray, rng: np.random.Generator) -> None:
        self.seen += 1
        if len(self.items) < self.capacity:
            self.items.append(item)
        elif (slot := int(rng.integers(self.seen))) < self.capacity:
            self.items[slot] = item

    def draw(self, number: int, rng: np.random.Generator) -> list[np.ndarray]:
        """`number` items: all distinct if there are as many, else with replacement. Raises ValueError if it is empty."""
        if not self.items:
            raise ValueError("nothing has been stored for this task yet")
        rows = rng.choice(len(self.items), number, replace=number > len(self.items))
        return [self.items[row] for row in rows]

    def state_dict(self) -> State:
        return dict(seen=self.seen, items=[as_tensor(item) for item in self.items])

    def load_state_dict(self, state: State) -> None:
        self.seen, self.items = state["seen"], [item.numpy() for item in state["items"]]


class TaskMemory:
    """Per task: a reservoir of whole trajectories stored for it, as context rows, and one of initial observations."""

    def __init__(self, tasks: Sequence[int], num_trajectories: int, num_initial_states: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._trajectories = {task: Reservoir(num_trajectories) for task in tasks}
        self._initial_obs = {task: Reservoir(num_initial_states) for task in tasks}

    def add(self, task: int, context: np.ndarray, initial_obs: np.ndarray) -> None:
        """Note a trajectory that was stored for `task`. context: (T, D), with the rewards of that task; initial_obs: (S,)."""
        self._trajectories[task].add(context, self._rng)
        self._initial_obs[task].add(initial_obs, self._rng)

    def is_warm(self) -> bool:
        """Whether every task has a trajectory."""
        return all(reservoir.seen for reservoir in self._trajectories.values())

    def trajectories(self, task: int, number: int) -> list[np.ndarray]:
        """`number` trajectories of `task`, each (T, D)."""
        return self._trajectories[task].draw(number, self._rng)

    def all_trajectories(self, task: int) -> list[np.ndarray]:
        """Every trajectory kept for `task`."""
        return self._trajectories[task].items

    def initial_obs(self, task: int, number: int) -> np.ndarray:
        """`number` initial observations of `task`: (number, S)."""
        return np.stack(self._initial_obs[task].draw(number, self._rng))

    def state_dict(self) -> State:
        parts = dict(trajectories=self._trajectories, initial_obs=self._initial_obs)
        return dict(rng=rng_state(self._rng), **{name: {t: r.state_dict() for t, r in part.items()} for name, part in parts.items()})

    def load_state_dict(self, state: State) -> None:
        set_rng_state(self._rng, state["rng"])
        for name, part in (("trajectories", self._trajectories), ("initial_obs", self._initial_obs)):
            for task, reservoir in part.items():
                reservoir.load_state_dict(state[name][task])
