"""Environment speed: ``python benchmarks/environments.py``. Both sides run in this
process, in alternation; what counts is the ratio.

Steps per second of single environments and of ten side by side with a batched policy (3
x 300, one thread), against gymnasium's and Meta-World's own classes; and hindsight
rewards of K = 100 tasks and T = 200 steps against a Python loop over steps.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from timing import median_seconds

from env_wrappers import ENVIRONMENTS, make_env
from rlkit_hfr.pearl.perceptrons import TanhGaussianPolicy
from rlkit_hfr.pearl.sampler import single_torch_thread


def _gymnasium(module: str, cls: str) -> Callable[[], Any]:
    def build() -> Any:
        env = getattr(__import__(f"gymnasium.envs.mujoco.{module}", fromlist=[cls]), cls)()
        env.reset(seed=0)
        return env

    return build


def _metaworld(cls: str) -> Callable[[], Any]:
    def build() -> Any:
        import metaworld.envs

        env = getattr(metaworld.envs, cls)()
        env._set_task_called = env._freeze_rand_vec = env._partially_observable = True
        env._last_rand_vec = np.array([0.0, 0.6, 0.02, 0.05, 0.85, 0.2 if "Reach" in cls else 0.02])
        env.max_path_length = 10**9
        env.reset()
        return env

    return build


THEIRS = {
    "cheetah-vel": _gymnasium("half_cheetah_v5", "HalfCheetahEnv"),
    "ant-dir": _gymnasium("ant_v5", "AntEnv"),
    "humanoid-dir": _gymnasium("humanoid_v5", "HumanoidEnv"),
    "sawyer-push": _metaworld("SawyerPushEnvV3"),
    "sawyer-reach": _metaworld("SawyerReachEnvV3"),
}


def _rate(envs: list[Any], policy: TanhGaussianPolicy | None, steps: int) -> float:
    """Steps per second of stepping all environments in turn, by a policy that sees all
    observations at once, or by fixed random actions.
    """
    rng = np.random.default_rng(0)
    shape = (len(envs), *envs[0].action_space.shape)
    low = envs[0].action_space.high
    obs = np.stack([env.reset()[0] if isinstance(result := env.reset(), tuple) else result for env in envs])
    actions = 0.3 * low * rng.uniform(-1, 1, (50, *shape))
    started = time.perf_counter()
    for t in range(steps // len(envs)):
        if policy is None:
            chosen = actions[t % 50]
        else:
            with torch.no_grad():
                chosen = 0.3 * low * policy(torch.as_tensor(obs, dtype=torch.float32)).action.numpy()
        for i, env in enumerate(envs):
            result = env.step(chosen[i])
            obs[i] = result[0]
            if result[2]:
                env.reset()
    return steps / (time.perf_counter() - started)


def _versus(name: str, number: int, with_policy: bool, steps: int, repeats: int) -> tuple[float, float]:
    ours = [make_env(name, n_tasks=10, seed=i) for i in range(number)]
    for task, env in enumerate(ours):
        env.reset_task(task)
    theirs = [THEIRS[name]() for _ in range(number)]
    sides = {"ours": ours, "theirs": theirs}
    policies = {
        key: (
            TanhGaussianPolicy([300] * 3, envs[0].observation_space.shape[0], envs[0].action_space.shape[0])
            if with_policy
            else None
        )
        for key, envs in sides.items()
    }
    rates: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(repeats):
        for key, envs in sides.items():
            rates[key].append(_rate(envs, policies[key], steps))
    return statistics.median(rates["ours"]), statistics.median(rates["theirs"])


def _reward_times(name: str, repeats: int) -> tuple[float, float]:
    env, rng = (
        make_env(name, **({} if name == "four-corners" else {"n_tasks": 100}), seed=0),
        np.random.default_rng(0),
    )
    tasks = [k % len(env.tasks) for k in range(100)]
    env.reset_task(0)
    infos = [env.step(rng.uniform(-1, 1, env.action_space.shape))[3] for _ in range(200)]
    path = {"env_infos": {"achieved": np.stack([info["achieved"] for info in infos])}}

    def loop() -> None:
        for task in tasks:
            for info in infos:
                env.reward_of(info["achieved"], env.tasks[task])

    return median_seconds(lambda: env.compute_rewards(path, tasks), 5 * repeats), median_seconds(loop, 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=4000, help="steps of one measurement")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        "| environment | single: theirs | here | ratio | ten with a policy: theirs | here | ratio"
        " |\n|---|---|---|---|---|---|---|"
    )
    with single_torch_thread():
        for name in THEIRS:
            one, ten = (_versus(name, number, number > 1, args.steps, args.repeats) for number in (1, 10))
            cells = [f"{theirs:,.0f} | {ours:,.0f} | {ours / theirs:.1f}" for ours, theirs in (one, ten)]
            print(f"| `{name}` | {' | '.join(cells)} |", flush=True)
        print(
            "\n| environment | loop over steps | `compute_rewards`, K = 100, T = 200 | ratio"
            " |\n|---|---|---|---|"
        )
        for name in ENVIRONMENTS:
            batched, loop = _reward_times(name, args.repeats)
            print(
                f"| `{name}` | {1e3 * loop:.0f} ms | {1e3 * batched:.2f} ms | {loop / batched:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
