"""Small worlds that the tests share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tiny_runs import ALGORITHM

if TYPE_CHECKING:
    from rlkit_hfr.pearl.sac import PEARLSoftActorCritic

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _signals_arrive():
    """Also in the background of a shell, whose jobs ignore SIGINT, and under nohup, which ignores SIGHUP;
    child processes inherit it."""
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _reset_logger() -> None:
    module = sys.modules.get("rlkit_hfr.pearl.logger")
    if module is not None:
        module.logger.reset()


@pytest.fixture(autouse=True)
def _fresh_logger():
    """Of the built-in PEARL, where it has been imported."""
    _reset_logger()
    yield
    _reset_logger()


@pytest.fixture
def kill_in_call() -> Callable[..., None]:
    """Do some work in a forked process that gets a SIGKILL when a function is called for the n-th time."""

    def run(work: Callable[[], object], owner: Any, name: str, call: int) -> None:
        child = os.fork()
        if child == 0:
            original, calls = getattr(owner, name), []

            def counted(*args: Any, **options: Any) -> Any:
                calls.append(name)
                if len(calls) == call:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*args, **options)

            try:
                setattr(owner, name, counted)
                _reset_logger()
                work()
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    return run


@pytest.fixture
def make_algorithm() -> Callable[..., PEARLSoftActorCritic]:
    """A PEARL with tiny networks on 5 training and 2 test tasks of a task family."""
    from env_wrappers import make_env
    from rlkit_hfr.pearl.config import PEARLConfig
    from rlkit_hfr.pearl.sac import PEARLSoftActorCritic, build_nets

    def build(
        env_name: str = "point-robot", *, seed: int = 0, net_size: int = 16, env: Any = None, **settings: Any
    ) -> PEARLSoftActorCritic:
        torch.manual_seed(seed)
        env = (
            make_env(env_name, n_tasks=4 if env_name == "four-corners" else 7, seed=seed)
            if env is None
            else env
        )
        config = PEARLConfig(**{**ALGORITHM, **settings})
        nets = build_nets(env.observation_space.shape[0], env.action_space.shape[0], 3, net_size, config)
        tasks = list(env.get_all_task_idx())
        train, test = (tasks, tasks) if env_name == "four-corners" else (tasks[:-2], tasks[-2:])
        return PEARLSoftActorCritic(env, train, test, nets, config, seed=seed, callbacks=(), log_dir=None)

    return build


@pytest.fixture
def cuda():
    """A device that is pretended: see `pretended_cuda`."""
    from pretended_cuda import pretended_cuda

    with pretended_cuda() as device:
        yield device


@pytest.fixture
def make_path() -> Callable[..., dict[str, Any]]:
    """A random path in rlkit's format. `marker` goes into the first observation of every
    step, so that rows can be recognised.
    """

    def build(
        length: int = 5,
        obs_dim: int = 2,
        action_dim: int = 2,
        seed: int = 0,
        marker: float | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        observations = rng.normal(size=(length + 1, obs_dim)).astype(np.float32)
        if marker is not None:
            observations[:, 0] = marker
        path = dict(
            observations=observations[:-1],
            actions=rng.uniform(-1, 1, (length, action_dim)).astype(np.float32),
            rewards=rng.normal(size=(length, 1)).astype(np.float32),
            next_observations=observations[1:],
            terminals=np.zeros((length, 1), bool),
            agent_infos={},
            env_infos={"achieved": observations[1:]},
        )
        return {**path, **changes}

    return build
