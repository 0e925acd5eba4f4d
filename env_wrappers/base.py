"""The contract of a relabelable task family: one physics, many reward functions, all of
them computable from a recorded path.
"""

from __future__ import annotations

import abc
import types
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from env_wrappers.silent_gym import Box, gym

PathDict = Mapping[str, Any]


class HindsightRewards(NamedTuple):
    """Rewards of recorded steps under K tasks.

    rewards: (K, T) float32; terminals: (K, T) bool; sparse_rewards: (K, T) float32, or
        None where the family has no sparse variant.
    """

    rewards: np.ndarray
    terminals: np.ndarray
    sparse_rewards: np.ndarray | None = None


def path_info(path: PathDict, key: str) -> np.ndarray:
    """Stack one info of a path over its steps: (T, ...). Infos are rlkit's list of dicts
    or a dict of arrays.
    """
    infos = path["env_infos"]
    if isinstance(infos, Mapping):
        return np.asarray(infos[key])
    return np.stack([info[key] for info in infos])


class Split(NamedTuple):
    """Where training and test tasks lie: (least, most) of the family's `split_coordinate`.

    even: the test tasks are at equal distances from end to end, for families whose task
    vector is that one number.
    """

    train: tuple[float, float]
    test: tuple[float, float]
    even: bool = False


class HindsightEnv(gym.Env, abc.ABC):
    """A multi-task environment with gym's 4-tuple API whose recorded paths can be
    relabeled with any of its tasks.

    A family supplies the task vectors, the physics (`_reset`, `_advance`) and one pure
    function, `reward_of`. `step` and `compute_rewards` both call that function on the
    float32 features in ``info["achieved"]``, so that relabeling a path to its own task
    gives back its rewards and terminals bit for bit (the round-trip law).

    Actions are normalised: `action_space` is [-1, 1]^A, clipped and scaled by
    `action_scale` before the physics sees them.
    """

    action_scale: float = 1.0
    # whether a step is mostly physics that lets other threads run, so that stepping
    # several in threads is faster
    threads_help = False
    # for pictures: what the numbers of a task vector are
    task_labels: tuple[str, ...] = ("first parameter", "second parameter")
    # whether the first two features are in the units of the first two of a task vector
    paths_in_task_space = False
    splits: Mapping[str, Split] = types.MappingProxyType({})  # that `make_env` knows by name
    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(self, tasks: np.ndarray, obs_dim: int, action_dim: int, *, seed: int | None = None) -> None:
        """tasks: (n_tasks, G) task vectors; seed: of the initial states."""
        self.tasks = np.asarray(tasks, dtype=np.float64)
        if self.tasks.ndim != 2 or len(self.tasks) == 0:
            raise ValueError(
                f"tasks must be a non-empty (n_tasks, G) array, got shape {self.tasks.shape}; check n_tasks"
            )
        self.observation_space = Box(-np.inf, np.inf, (obs_dim,), np.float32)
        self.action_space = Box(-1.0, 1.0, (action_dim,), np.float32)
        self._task_idx = 0
        self.seed(seed)

    # What a family defines.
    @abc.abstractmethod
    def _reset(self) -> np.ndarray:
        """Start an episode; return the first observation (S,)."""

    @abc.abstractmethod
    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Apply one physical action (A,); return the observation (S,) and the features
        (F,) that decide every task's reward.
        """

    @abc.abstractmethod
    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        """Pure reward function. achieved (..., F) float32 and task (..., G) broadcast;
        element-wise arithmetic only.
        """

    # of a family whose tasks are goals: how near is near enough, in units of
    # `goal_distance_of`
    tolerance: float | None = None

    def goal_distance_of(self, achieved: np.ndarray, task: np.ndarray) -> np.ndarray:
        """Distance to the task's goal, broadcast like `reward_of`; for families with a `tolerance`."""
        return distance(achieved, task)

    def success_of(self, achieved: np.ndarray, task: np.ndarray) -> np.ndarray | None:
        """Whether the task counts as solved in these steps, broadcast like `reward_of`;
        None if success is not defined.
        """
        return None if self.tolerance is None else self.goal_distance_of(achieved, task) <= self.tolerance

    def ends_at(self, next_obs: np.ndarray) -> np.ndarray | None:
        """Whether an episode ends at these observations (R, S), whatever the task: (R,) bool.
        None where an observation does not tell. Models of the dynamics need it.
        """
        return None

    def split_coordinate(self, tasks: np.ndarray) -> np.ndarray:
        """The number of each task vector (n, G) by which a split tells training from test
        tasks: (n,), the first entry unless a family says otherwise.
        """
        return tasks[:, 0]

    def keep_tasks(self, rows: np.ndarray) -> None:
        """Leave these of the tasks, in this order."""
        self.tasks = self.tasks[rows]
        self._task_idx = 0
        self._task_changed()

    # The gym and rlkit interface.
    def seed(self, seed: int | None = None) -> list[int | None]:
        self._rng = np.random.default_rng(seed)
        self.action_space.seed(seed)
        return [seed]

    def get_all_task_idx(self) -> range:
        return range(len(self.tasks))

    def reset_task(self, idx: int) -> np.ndarray:
        """Switch to task `idx` and start an episode; returns the first observation."""
        if not 0 <= idx < len(self.tasks):
            raise ValueError(f"task index must be in [0, {len(self.tasks)}), got {idx}")
        self._task_idx = int(idx)
        self._task_changed()
        return self.reset()

    def _task_changed(self) -> None:
        """Set up what else differs between tasks than the reward."""

    @property
    def _goal(self) -> np.ndarray:
        """The current task vector (G,), under the name that PEARL code bases read."""
        return self.tasks[self._task_idx]

    def reset(self) -> np.ndarray:  # type: ignore[override]
        return self._reset()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, dict[str, Any]]:  # type: ignore[override]
        obs, achieved = self.advance(action)
        result, figures = self.judge(achieved, self._goal)
        info: dict[str, Any] = {"achieved": achieved, **{key: float(value) for key, value in figures.items()}}
        return obs, float(result.rewards), bool(result.terminals), info

    def advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The first part of a step: an action (A,) in [-1, 1] -> the next observation (S,)
        and the features (F,) float32.
        """
        # np.clip takes three times as long on so few numbers
        physical = np.minimum(np.maximum(action, -1.0), 1.0) * self.action_scale
        obs, achieved = self._advance(physical)
        return obs, np.asarray(achieved, dtype=np.float32)

    def judge(self, achieved: np.ndarray, task: np.ndarray) -> tuple[HindsightRewards, dict[str, np.ndarray]]:
        """The second part: what steps with features (..., F) are worth under tasks (...,
        G), and their infos "sparse_reward" and "success" where the family has them.
        Like `reward_of` it reads nothing that differs between environments of the
        family, so that the steps of many are judged in one call.
        """
        result = self.reward_of(achieved, task)
        figures = (
            {}
            if result.sparse_rewards is None
            else {"sparse_reward": np.asarray(result.sparse_rewards, dtype=np.float64)}
        )
        success = self.success_of(achieved, task)
        if success is not None:
            figures["success"] = np.asarray(success, dtype=np.float64)
        return result, figures

    def compute_rewards(self, path: PathDict, tasks: Sequence[int] | np.ndarray) -> HindsightRewards:
        """Hindsight rewards of a recorded path under `tasks` (K task indices); touches no
        state of the environment.
        """
        return self.rewards_of_vectors(path, self.tasks[np.asarray(tasks, dtype=np.int64)])

    def rewards_of_vectors(self, path: PathDict, vectors: np.ndarray) -> HindsightRewards:
        """The same under tasks that are given by their vectors (V, G), and need be none of the family's."""
        achieved = path_info(path, "achieved")  # (T, F)
        return self.reward_of(achieved[None], vectors[:, None])

    def goal_distances(self, path: PathDict, tasks: Sequence[int] | np.ndarray) -> np.ndarray:
        """How far each step of a recorded path is from the goals of `tasks`, in units of
        the tolerance: (K, T).
        """
        if self.tolerance is None:
            raise ValueError(f"the tasks of {type(self).__name__} are no goals")
        vectors = self.tasks[np.asarray(tasks, dtype=np.int64)]
        return self.goal_distance_of(path_info(path, "achieved")[None], vectors[:, None]) / self.tolerance

    @property
    def has_goals(self) -> bool:
        return self.tolerance is not None

    def random_state(self) -> dict[str, Any]:
        """The position of the environment's generator, for checkpoints between episodes."""
        return dict(self._rng.bit_generator.state)

    def set_random_state(self, state: dict[str, Any]) -> None:
        self._rng.bit_generator.state = state


def distance(achieved: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Euclidean distance over the last axis in float64, summed in a fixed order so that
    batching cannot change a bit.
    """
    delta = achieved.astype(np.float64) - goal
    total = delta[..., 0] * delta[..., 0]
    for axis in range(1, delta.shape[-1]):
        total = total + delta[..., axis] * delta[..., axis]
    return np.sqrt(total)


def rewards_like(
    rewards: np.ndarray, terminals: np.ndarray | bool = False, sparse: np.ndarray | None = None
) -> HindsightRewards:
    """Cast to the dtypes of `HindsightRewards`; terminals: of the rewards' shape, or one for all."""
    rewards = np.asarray(rewards, dtype=np.float32)
    done = (
        np.full(rewards.shape, terminals)
        if isinstance(terminals, bool)
        else np.asarray(terminals, dtype=bool)
    )
    return HindsightRewards(rewards, done, None if sparse is None else np.asarray(sparse, dtype=np.float32))
