"""Episodes of task families, as the tests record them."""

from __future__ import annotations

import numpy as np


def record(env, task, rng, length=40, policy=None):
    """The steps of one episode, of random actions or of a policy's."""
    obs = [env.reset_task(task)]
    rewards, terminals, infos, actions = [], [], [], []
    for _ in range(length):
        action = rng.uniform(-1, 1, env.action_space.shape) if policy is None else policy(obs[-1])
        o, r, d, info = env.step(action)
        obs.append(o), rewards.append(r), terminals.append(d), infos.append(info), actions.append(action)
    return dict(
        observations=np.array(obs),
        rewards=np.array(rewards),
        terminals=np.array(terminals),
        env_infos=infos,
        actions=np.array(actions),
    )
