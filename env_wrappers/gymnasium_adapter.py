"""Gymnasium's multi-task environments under the interface that rlkit expects."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gym.spaces import Box


class GymnasiumAdapter:
    """Serves ``step() -> (obs, reward, terminated, truncated, info)`` and ``reset(seed=) ->
    (obs, info)`` as rlkit's ``step() -> (obs, reward, done, info)`` and ``reset() -> obs``.

    `done` is `terminated` alone: after a truncation the task could have gone on, so it is
    never a terminal. ``info["truncated"]`` tells of it, in every step; the built-in PEARL
    ends the episode there, other hosts at their `max_path_length`.

    The environment brings ``reset_task(idx)``, and ``get_all_task_idx()`` or `tasks`, in
    itself or in what it wraps. Everything else that it has (``compute_rewards(path,
    tasks)``, `goal_distances`, `tasks`) is handed through. Actions are in [-1, 1] and are
    scaled to the bounds of its action space; `compute_rewards` gets those that it was
    given. ValueError for spaces that are no boxes of numbers.
    """

    def __init__(self, env: Any) -> None:
        self.unwrapped_env = env
        label = type(_unwrapped(env)).__name__
        low, high = _bounds(env.action_space, "action_space", label)
        _bounds(env.observation_space, "observation_space", label)
        self.observation_space = env.observation_space
        bounded = bool(np.isfinite(low).all() and np.isfinite(high).all())
        self._low, self._high = (low, high) if bounded else (-np.ones_like(low), np.ones_like(low))
        self._scales = not (np.all(self._low == -1.0) and np.all(self._high == 1.0))
        self.action_space = Box(-1.0, 1.0, low.shape, np.float32)
        if self._find("reset_task") is None:
            raise ValueError(
                f"{label} has no reset_task(idx), by which a task is chosen; "
                "write it, and get_all_task_idx() or tasks"
            )
        if self._find("get_all_task_idx") is None and self._find("tasks") is None:
            raise ValueError(
                f"{label} has neither get_all_task_idx() nor tasks; write one, so that its tasks are known"
            )

    def _find(self, name: str) -> Any:
        """An attribute of the environment, or of what it wraps; None if there is none."""
        layer = self.unwrapped_env
        while layer is not None:
            if hasattr(layer, name):
                return getattr(layer, name)
            layer = vars(layer).get("env")  # Gymnasium's wrappers hand no attributes through
        return None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "unwrapped_env":  # not there yet, while being copied
            raise AttributeError(name)
        found = self._find(name)
        if found is None:
            raise AttributeError(f"{type(_unwrapped(self.unwrapped_env)).__name__} has no {name}")
        if name in ("compute_rewards", "goal_distances", "rewards_of_vectors") and self._scales:
            # of tasks, by their indices or by their vectors
            return lambda path, tasks: found({**path, "actions": self._scaled(path["actions"])}, tasks)
        return found

    def get_all_task_idx(self) -> Sequence[Any]:
        own = self._find("get_all_task_idx")
        return list(own()) if own is not None else range(len(self._find("tasks")))

    def reset_task(self, idx: Any) -> np.ndarray:
        """Switch to task `idx` and start an episode; returns the first observation (S,)."""
        self._find("reset_task")(idx)
        return self.reset()

    def reset(self) -> np.ndarray:
        return self._observation(self.unwrapped_env.reset())

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Seed the environment, at once, and the action space."""
        self._observation(self.unwrapped_env.reset(seed=seed))
        self.action_space.seed(seed)
        return [seed]

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, dict[str, Any]]:
        result = self.unwrapped_env.step(self._scaled(np.asarray(action)))
        if not isinstance(result, tuple) or len(result) != 5:
            got = f"{len(result)} values" if isinstance(result, tuple) else type(result).__name__
            raise ValueError(
                f"step must return Gymnasium's (obs, reward, terminated, truncated, info), got {got}"
            )
        obs, reward, terminated, truncated, info = result
        return np.asarray(obs), float(reward), bool(terminated), {**info, "truncated": bool(truncated)}

    def random_state(self) -> dict[str, Any]:
        """The position of the environment's generator, for checkpoints between episodes."""
        own = self._find("random_state")
        return dict(own() if own is not None else self._generator().bit_generator.state)

    def set_random_state(self, state: dict[str, Any]) -> None:
        own = self._find("set_random_state")
        if own is not None:
            own(state)
        else:
            self._generator().bit_generator.state = state

    def _generator(self) -> np.random.Generator:
        generator = getattr(_unwrapped(self.unwrapped_env), "np_random", None)
        if not isinstance(generator, np.random.Generator):
            raise TypeError(
                f"{type(_unwrapped(self.unwrapped_env)).__name__} has neither Gymnasium's np_random "
                "nor random_state() and set_random_state(state), which a checkpoint needs"
            )
        return generator

    def _scaled(self, action: np.ndarray) -> np.ndarray:
        """Actions (..., A) in [-1, 1] -> within the bounds of the environment's own space."""
        if not self._scales:
            return action
        low, high = self._low, self._high
        return np.asarray(low + (np.clip(action, -1.0, 1.0) + 1.0) * 0.5 * (high - low), np.float32)

    def _observation(self, result: Any) -> np.ndarray:
        if not _is_reset(result):
            raise ValueError(f"reset must return Gymnasium's (obs, info), got {type(result).__name__}")
        return np.asarray(result[0])


def adapted(env: Any) -> Any:
    """The environment as rlkit wants it: in a `GymnasiumAdapter` if it speaks Gymnasium."""
    return GymnasiumAdapter(env) if speaks_gymnasium(env) else env


def speaks_gymnasium(env: Any) -> bool:
    """Whether ``reset`` takes a seed and returns (obs, info)."""
    try:
        parameters = inspect.signature(env.reset).parameters.values()
    except (AttributeError, TypeError, ValueError):
        return False
    takes_seed = any(p.name == "seed" or p.kind is p.VAR_KEYWORD for p in parameters)
    return takes_seed and _is_reset(env.reset())


def _is_reset(result: Any) -> bool:
    return isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)


def _unwrapped(env: Any) -> Any:
    inner = getattr(env, "unwrapped", None)
    return env if inner is None else inner


def _bounds(space: Any, name: str, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Of a box (its shape), float64."""
    if not hasattr(space, "low") or not hasattr(space, "high") or not space.shape:
        raise ValueError(f"the {name} of {label} must be a Box of one axis or more, got {space}")
    return np.asarray(space.low, np.float64), np.asarray(space.high, np.float64)
