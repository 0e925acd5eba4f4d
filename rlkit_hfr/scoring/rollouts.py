"""The utility of HFR eq. 4 as it is defined: what the adapted policy earns in the simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.paths import is_truncated
from rlkit_hfr.protocols import Env


def rollout_utilities(
    env: Env,
    tasks: Sequence[int],
    z: Tensor,
    act: Callable[[Tensor, Tensor], Tensor],
    discount: float,
    max_path_length: int,
    num_rollouts: int,
) -> Tensor:
    """U_psi(tau) = E sum_t discount^(t-1) r_psi(s_t, a_t), a_t ~ pi(.|s_t, z)   (HFR eq. 4).

    The mean over `num_rollouts` episodes of at most `max_path_length` steps, of the reward
    that `env.step` pays, unscaled. One step of one environment at a time: a reference, and
    slow. z: (N, K, Z), the latent of each path under each of the K tasks; act: (obs (1, S),
    z (1, Z)) -> action (1, A). Returns (N, K).
    """
    utilities = torch.zeros(z.shape[:2], dtype=torch.float64)
    for k, task in enumerate(tasks):
        for n in range(len(z)):
            returns = [
                _return(env, task, z[n, k : k + 1], act, discount, max_path_length)
                for _ in range(num_rollouts)
            ]
            utilities[n, k] = float(np.mean(returns))
    return utilities


def _return(
    env: Env,
    task: int,
    z: Tensor,
    act: Callable[[Tensor, Tensor], Tensor],
    discount: float,
    max_path_length: int,
) -> float:
    env.reset_task(task)
    obs, total, weight = env.reset(), 0.0, 1.0
    for _ in range(max_path_length):
        rows = torch.as_tensor(np.asarray(obs, np.float32).reshape(1, -1), device=z.device)
        obs, reward, done, info = env.step(act(rows, z)[0].cpu().numpy())
        total += weight * float(reward)
        weight *= discount
        if done or is_truncated(info):
            break
    return total
