"""Is an environment relabelable? ``check_hindsight_env(env)`` says what it checked, or what
to change, in the manner of Gymnasium's env checker.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from env_wrappers.gymnasium_adapter import GymnasiumAdapter, adapted


class HindsightEnvError(ValueError):
    """The environment breaks the contract of docs/environments.md; the message says where
    and what to change.
    """


@dataclass(frozen=True)
class HindsightReport:
    """What `check_hindsight_env` has found in order; printed, a line for each check."""

    name: str
    tasks: int
    episodes: int
    steps: int
    checked: tuple[str, ...]

    def __str__(self) -> str:
        head = (
            f"{self.name}: {self.tasks} tasks, {self.episodes} episodes of random actions, {self.steps} steps"
        )
        return "\n".join([head, *(f"  ok: {line}" for line in self.checked)])

    __repr__ = __str__


def check_hindsight_env(
    env: Any, episodes: int = 5, max_steps: int = 50, seed: int = 0, remake: Callable[[], Any] | None = None
) -> HindsightReport:
    """Roll out random actions on several tasks and check that the paths can be relabeled.
    Returns what was checked. Raises HindsightEnvError, which says what to change.

    env: with rlkit's interface or Gymnasium's. remake: builds the environment anew, with
    the same seeds; its tasks must be the same.

    Checked: the interface; the round-trip law (the own task's rewards, terminals and
    sparse rewards come back bit for bit as float32); that K tasks at once give what each
    gives alone; shapes and dtypes; that neither stepping nor `compute_rewards` touches
    numpy's global generator, and that the latter edits neither the path nor the
    environment; that seeding repeats an episode and, with `remake`, that the tasks come
    back.
    """
    env = _served(env)
    _check_interface(env)
    rng = np.random.default_rng(seed)
    tasks = list(env.get_all_task_idx())
    steps = truncations = 0
    sparse = False
    for own in rng.choice(len(tasks), episodes):
        state = _global_state()
        path = _rollout(env, tasks[own], max_steps, rng)
        _check_rewards(env, path, tasks, int(own))
        if not np.array_equal(state, _global_state()):
            raise HindsightEnvError(
                "numpy's global generator moved; draw from a generator that the environment owns"
            )
        steps += len(path["rewards"])
        sparse = sparse or "sparse_reward" in path["env_infos"][0]
        truncations += _truncated(path["env_infos"][-1])
    _check_reproducible(env, path, tasks, None if remake is None else lambda: _served(remake()))
    adapter = isinstance(env, GymnasiumAdapter)
    checked = _what_was_checked(env, sparse, adapter, remake is not None)
    if adapter:
        checked.append(f"a truncation is no terminal ({truncations} of {episodes} episodes were truncated)")
    inner = env.unwrapped_env if adapter else env
    name = type(getattr(inner, "unwrapped", None) or inner).__name__
    return HindsightReport(name, len(tasks), episodes, steps, tuple(checked))


def _what_was_checked(env: Any, sparse: bool, adapter: bool, remade: bool) -> list[str]:
    paid = "rewards, sparse rewards" if sparse else "rewards"
    checked = [
        "interface: Gymnasium's, through the adapter" if adapter else "interface: rlkit's",
        (
            "compute_rewards gives rewards (K, T) float32, terminals (K, T) bool, sparse rewards if there"
            " are any"
        ),
        f"round trip: the own task's {paid} and terminals come back bit for bit",
        "a task gets the same rewards alone as among others",
        "compute_rewards edits neither the path nor the environment",
        "numpy's global generator is left alone",
    ]
    if callable(getattr(env, "seed", None)):
        checked.append("a seed repeats the start of an episode")
    return [*checked, "built anew, it has the same tasks"] if remade else checked


def _served(env: Any) -> Any:
    try:
        return adapted(env)
    except ValueError as error:  # the adapter's, which says what is missing
        raise HindsightEnvError(str(error)) from None


def _truncated(info: Any) -> bool:
    return bool(info.get("truncated", False))


def _of_time_limit(info: Any) -> bool:
    """gym's TimeLimit says `done` where it only cuts an episode off."""
    return bool(info.get("TimeLimit.truncated", False))


def _global_state() -> np.ndarray:
    return np.append(np.random.get_state(legacy=True)[1], np.random.get_state(legacy=True)[2])  # type: ignore[index]  # noqa: NPY002


def _check_interface(env: Any) -> None:
    for name in (
        "reset",
        "step",
        "reset_task",
        "get_all_task_idx",
        "compute_rewards",
        "observation_space",
        "action_space",
    ):
        if not hasattr(env, name):
            raise HindsightEnvError(f"{type(env).__name__} has no {name}; see docs/environments.md")
    if len(list(env.get_all_task_idx())) == 0:
        raise HindsightEnvError("get_all_task_idx() is empty; an environment needs a task")


def _rollout(env: Any, task: int, max_steps: int, rng: np.random.Generator) -> dict[str, Any]:
    env.reset_task(task)
    obs, steps = env.reset(), []
    low, high = (
        np.broadcast_to(env.action_space.low, env.action_space.shape),
        np.broadcast_to(env.action_space.high, env.action_space.shape),
    )
    for _ in range(max_steps):
        action = rng.uniform(low, high)
        result = env.step(action)
        if not isinstance(result, tuple) or len(result) != 4:
            size = f"{len(result)} values" if isinstance(result, tuple) else type(result).__name__
            raise HindsightEnvError(
                f"step must return (obs, reward, done, info), the four values that rlkit expects, got {size}"
            )
        next_obs, reward, done, info = result
        if np.shape(next_obs) != tuple(env.observation_space.shape):
            shapes = f"{np.shape(next_obs)}; observation_space says {env.observation_space.shape}"
            raise HindsightEnvError(f"step returned an observation of shape {shapes}")
        steps.append((obs, action, reward, next_obs, done and not _of_time_limit(info), info))
        obs = next_obs
        if done or _truncated(info):
            break
    o, a, r, o2, d, infos = zip(*steps, strict=True)
    return dict(
        observations=np.array(o),
        actions=np.array(a),
        rewards=np.array(r).reshape(-1, 1),
        next_observations=np.array(o2),
        terminals=np.array(d).reshape(-1, 1),
        env_infos=list(infos),
    )


def _check_rewards(env: Any, path: dict[str, Any], tasks: list[int], own: int) -> None:
    env.reset()  # an episode that is over may not be stepped further
    before, twin = copy.deepcopy(path), copy.deepcopy(env)
    result = tuple(env.compute_rewards(path, tasks))
    if len(result) not in (2, 3):
        raise HindsightEnvError(
            f"compute_rewards must return (rewards, terminals[, sparse_rewards]), got {len(result)} values"
        )
    rewards, terminals, sparse = (*result, None)[:3]
    shape = (len(tasks), len(path["rewards"]))
    for name, array, dtype in (
        ("rewards", rewards, np.float32),
        ("terminals", terminals, np.bool_),
        ("sparse_rewards", sparse, np.float32),
    ):
        if array is not None and (np.shape(array) != shape or np.asarray(array).dtype != dtype):
            got = f"{np.shape(array)} {np.asarray(array).dtype}"
            raise HindsightEnvError(
                f"compute_rewards: {name} must be (K, T) = {shape} {np.dtype(dtype)}, got {got}"
            )
    if not _same(before, path):
        raise HindsightEnvError("compute_rewards edited the path; return new arrays")
    _check_round_trip(path, own, rewards, terminals, sparse)
    for k, task in enumerate(tasks[:20]):
        if not np.array_equal(np.asarray(env.compute_rewards(path, [task])[0])[0], rewards[k]):
            raise HindsightEnvError(
                f"compute_rewards gives task {task} other rewards alone than among others; "
                "use element-wise arithmetic in a fixed order"
            )
    action = np.zeros(env.action_space.shape)
    if not np.array_equal(env.step(action)[0], twin.step(action)[0]):
        raise HindsightEnvError(
            "compute_rewards changed the environment; it must read task vectors and infos alone"
        )


def _check_round_trip(path: dict[str, Any], own: int, rewards: Any, terminals: Any, sparse: Any) -> None:
    recorded: list[tuple[str, Any, Any]] = [
        ("reward", path["rewards"][:, 0].astype(np.float32), rewards[own]),
        ("terminal", path["terminals"][:, 0].astype(bool), terminals[own]),
    ]
    if sparse is not None and "sparse_reward" in path["env_infos"][0]:
        recorded.append(
            (
                "sparse reward",
                np.array([info["sparse_reward"] for info in path["env_infos"]], np.float32),
                sparse[own],
            )
        )
    for name, stepped, relabeled in recorded:
        wrong = np.flatnonzero(stepped != relabeled)
        if wrong.size:
            t = int(wrong[0])
            raise HindsightEnvError(
                f"round trip: step {t} gave the {name} {stepped[t]}, "
                f"compute_rewards says {relabeled[t]} for the same task; let step compute it "
                "with the function that relabeling uses, from the float32 features that the info records"
            )


def _check_reproducible(
    env: Any, path: dict[str, Any], tasks: list[int], remake: Callable[[], Any] | None
) -> None:
    if callable(getattr(env, "seed", None)):
        starts = []
        for _ in range(2):
            env.seed(3)
            env.reset_task(tasks[-1])
            starts.append(np.asarray(env.reset()))
        if not np.array_equal(starts[0], starts[1]):
            raise HindsightEnvError(
                "seed(3) gave two different starts; draw everything from the generator that seed sets"
            )
    if remake is not None:
        other = remake()
        alike = list(other.get_all_task_idx()) == tasks
        if not alike or not np.array_equal(
            env.compute_rewards(path, tasks)[0], other.compute_rewards(path, tasks)[0]
        ):
            raise HindsightEnvError(
                "built anew, the environment has other tasks; draw them from a seed of their own, "
                "and from nothing else"
            )


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(_same(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(_same, first, second))
    return bool(np.array_equal(first, second))
