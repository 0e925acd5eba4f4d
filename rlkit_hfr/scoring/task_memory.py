"""What scoring needs to know of each task's data: some of its trajectories and of its initial states."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from rlkit_hfr.checks import positive_int
from rlkit_hfr.paths import PathDict
from rlkit_hfr.scoring.path_states import path_states, paths_from
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
        """`number` items: all distinct if there are as many, else with replacement. Raises
        ValueError if it is empty.
        """
        if not self.items:
            raise ValueError("nothing has been stored for this task yet")
        rows = rng.choice(len(self.items), number, replace=number > len(self.items))
        return [self.items[row] for row in rows]

    def state_dict(self) -> State:
        return dict(capacity=self.capacity, seen=self.seen, items=[as_tensor(item) for item in self.items])

    def load_state_dict(self, state: State) -> None:
        self.capacity = state["capacity"]
        self.seen = state["seen"]
        self.items = [item.numpy() for item in state["items"]]


class TaskMemory:
    """What is kept of each task.

    Of what was *stored* for it (its own and relabeled): a reservoir of whole trajectories, as context
    rows, and one of initial observations. Of what was *collected* for it: its most recent paths, and
    the context rows of its latest visit.
    """

    def __init__(
        self, tasks: Sequence[int], num_trajectories: int, num_initial_states: int, rng: np.random.Generator
    ) -> None:
        """num_trajectories: reservoir of each task, and recent paths of all tasks together."""
        num_trajectories = positive_int("stored_trajectories", num_trajectories)
        num_initial_states = positive_int("stored_initial_states", num_initial_states)
        self._rng = rng
        self._trajectories = {task: Reservoir(num_trajectories) for task in tasks}
        self._initial_obs = {task: Reservoir(num_initial_states) for task in tasks}
        recent = -(-num_trajectories // len(self._trajectories))
        self._recent: dict[int, deque[PathDict]] = {task: deque(maxlen=recent) for task in tasks}
        self._visits = {task: Visit() for task in tasks}

    @property
    def initial_states(self) -> int:
        """How many initial observations of each task are kept."""
        return next(iter(self._initial_obs.values())).capacity

    def add(self, task: int, context: np.ndarray, initial_obs: np.ndarray) -> None:
        """Note a trajectory that was stored for `task`. context: (T, D), with the rewards
        of that task; initial_obs: (S,).
        """
        self._trajectories[task].add(context, self._rng)
        self._initial_obs[task].add(initial_obs, self._rng)

    def collected(self, task: int, path: PathDict) -> None:
        """Note a path that was collected for `task`."""
        if task in self._recent:
            self._recent[task].append(path)

    def visited(self, task: int, context: np.ndarray, iteration: int) -> None:
        """Note the context rows (T, D) of a path that the host adds to the context of `task`."""
        if task in self._visits:
            self._visits[task].add(context, iteration)

    def is_warm(self) -> bool:
        """Whether every task has a trajectory."""
        return all(reservoir.seen for reservoir in self._trajectories.values())

    def has_recent_paths(self) -> bool:
        return any(self._recent.values())

    def trajectories(self, task: int, number: int) -> list[np.ndarray]:
        """`number` trajectories of `task`, each (T, D)."""
        return self._trajectories[task].draw(number, self._rng)

    def all_trajectories(self, task: int) -> list[np.ndarray]:
        """Every trajectory kept for `task`."""
        return self._trajectories[task].items

    def contexts(self, task: int, number: int, in_order: bool = False) -> list[np.ndarray]:
        """`number` batches of rows (T, D), drawn with replacement from the latest visit of
        `task` (from what was stored for it if it had none); T is the length of the
        longest trajectory among them. in_order: whole trajectories of it instead.
        """
        source = self._visits[task].rows or self.all_trajectories(task)
        if in_order:
            return [source[i] for i in self._rng.integers(len(source), size=number)]
        rows, length = np.concatenate(source), max(map(len, source))
        return list(rows[self._rng.integers(len(rows), size=(number, length))])

    def context_batch(
        self, task: int, size: int, rng: np.random.Generator, in_order: bool = False
    ) -> np.ndarray:
        """`size` rows (T, D) of the trajectories stored for a task, with replacement. in_order:
        whole trajectories one after the other instead, as many as fit and one at least.
        """
        stored = self.all_trajectories(task)
        if not in_order:
            rows = np.concatenate(stored)
            return rows[rng.integers(len(rows), size=size)]
        turn = [stored[i] for i in rng.permutation(len(stored))]
        fit = int((np.cumsum([len(rows) for rows in turn]) <= size).sum())
        return np.concatenate(turn[: max(1, fit)])

    def pooled_paths(self, number: int) -> list[PathDict]:
        """At most `number` of the recent paths of all tasks, distinct. ValueError if there are none."""
        paths = [path for recent in self._recent.values() for path in recent]
        if not paths:
            raise ValueError("no path has been collected yet")
        chosen = self._rng.choice(len(paths), min(number, len(paths)), replace=False)
        return [paths[i] for i in chosen]

    def initial_obs(self, task: int, number: int) -> np.ndarray:
        """`number` initial observations of `task`: (number, S). From now on as many are
        kept: a relabeler that forgot to say so would be scored on the same few for ever.
        """
        kept = self._initial_obs[task]
        kept.capacity = max(kept.capacity, number)
        return np.stack(kept.draw(number, self._rng))

    def _parts(self) -> dict[str, Mapping[int, Reservoir | Visit]]:
        return dict(trajectories=self._trajectories, initial_obs=self._initial_obs, visits=self._visits)

    def state_dict(self) -> State:
        saved = {
            name: {task: item.state_dict() for task, item in part.items()}
            for name, part in self._parts().items()
        }
        recent = {task: path_states(paths) for task, paths in self._recent.items()}
        return dict(rng=rng_state(self._rng), recent=recent, **saved)

    def load_state_dict(self, state: State) -> None:
        set_rng_state(self._rng, state["rng"])
        for name, part in self._parts().items():
            for task, item in part.items():
                item.load_state_dict(state[name][task])
        for task, paths in self._recent.items():
            paths.clear()
            paths.extend(paths_from(state["recent"][task]))


class Visit:
    """The context rows of a task's latest visit: those of the last iteration in which it had one."""

    def __init__(self) -> None:
        self.iteration = -1
        self.rows: list[np.ndarray] = []

    def add(self, context: np.ndarray, iteration: int) -> None:
        if iteration != self.iteration:
            self.iteration = iteration
            self.rows = []
        self.rows.append(context)

    def state_dict(self) -> State:
        return dict(iteration=self.iteration, rows=[as_tensor(rows) for rows in self.rows])

    def load_state_dict(self, state: State) -> None:
        self.iteration = state["iteration"]
        self.rows = [rows.numpy() for rows in state["rows"]]
