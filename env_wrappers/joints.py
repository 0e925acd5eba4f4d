"""Families whose tasks differ in what their actuators do: joints with negated control (MIER
section 5.2.2), and an ant with a broken leg. Test tasks hold what no training task has.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from env_wrappers.ant import AntDir
from env_wrappers.cheetah import CheetahEnv
from env_wrappers.dynamics import SameReward


def negated_joints(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors on the controls of `number` joints, three of which are -1: (n, number) for
    training, where the last joint is never negated, and for testing, where it always is.
    """
    earlier, last = range(number - 1), number - 1
    return (
        _negated(list(itertools.combinations(earlier, 3)), number),
        _negated([(*pair, last) for pair in itertools.combinations(earlier, 2)], number),
    )


def _negated(chosen: Sequence[tuple[int, ...]], number: int) -> np.ndarray:
    factors = np.ones((len(chosen), number))
    for row, joints in zip(factors, chosen, strict=True):
        row[list(joints)] = -1.0
    return factors


def broken_legs(number: int, joints: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors on the controls of `number` legs of `joints` joints each, 0 for one leg: every
    leg but the last for training, the last for testing.
    """
    factors = 1.0 - np.kron(np.eye(number), np.ones((1, joints)))
    return factors[:-1], factors[-1:]


def drawn(
    parts: tuple[np.ndarray, np.ndarray], n_tasks: int, n_test_tasks: int, task_seed: int
) -> np.ndarray:
    """Some of the training tasks and then some of the test tasks: (n_tasks, G). ValueError
    if there are not so many.
    """
    rng = np.random.default_rng(task_seed)
    wanted = (n_tasks - n_test_tasks, n_test_tasks)
    if min(wanted) < 1 or any(number > len(part) for number, part in zip(wanted, parts, strict=True)):
        raise ValueError(
            f"there are {len(parts[0])} training and {len(parts[1])} test tasks at most, and at least one of"
            f" each, got n_tasks={n_tasks} of which n_test_tasks={n_test_tasks}"
        )
    return np.concatenate(
        [rng.permutation(part)[:number] for number, part in zip(wanted, parts, strict=True)]
    )


class CheetahNegatedJoints(SameReward, CheetahEnv):
    """Half-Cheetah runs forward with three of six joints negated: the speed less the control
    cost. Task vector: the factors on the controls (6).
    """

    def __init__(
        self, n_tasks: int = 20, n_test_tasks: int = 10, task_seed: int = 1, seed: int | None = None
    ) -> None:
        super().__init__(drawn(negated_joints(6), n_tasks, n_test_tasks, task_seed), seed)

    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return super()._advance(action * self._goal)

    def _features(self, obs: np.ndarray, speed: float, cost: float) -> np.ndarray:
        return np.array([speed - cost, 0.0])


class AntJoints(SameReward, AntDir):
    """The ant of `ant-dir` runs forward, whatever its actuators do."""

    task_labels = ("factor on the first control", "factor on the second control")  # type: ignore[assignment]

    parts: tuple[np.ndarray, np.ndarray]

    def __init__(
        self, n_tasks: int = 20, n_test_tasks: int = 10, task_seed: int = 1, seed: int | None = None
    ) -> None:
        super().__init__(seed=seed)
        self.tasks = drawn(self.parts, n_tasks, n_test_tasks, task_seed)

    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        obs, features = super()._advance(action * self._goal)
        forward, _, shared, done = features
        return obs, np.array([forward + shared, done])


class AntNegatedJoints(AntJoints):
    """Three of eight joints negated. Task vector: the factors on the controls (8)."""

    parts = negated_joints(8)


class AntBrokenLeg(AntJoints):
    """One of four legs does not move. Task vector: the factors on the controls (8)."""

    parts = broken_legs(4, 2)

    def __init__(
        self, n_tasks: int = 4, n_test_tasks: int = 1, task_seed: int = 1, seed: int | None = None
    ) -> None:
        super().__init__(n_tasks, n_test_tasks, task_seed, seed)
