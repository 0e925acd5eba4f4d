"""How much would a task gain from a trajectory? The utilities of the papers as pure
functions of tensors and networks.

Axes: N paths, K tasks, M partition samples, U initial states, B transitions, T steps;
S, A, Z: sizes of observation, action, latent. Networks are callables on rows:
``policy(obs, z) -> action``, ``critics(obs, action, z) -> (q1, q2)``, ``value(obs, z)
-> V``, each value of shape (rows, 1). `max_rows` bounds the rows of one forward pass,
and with it the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable, NamedTuple, Tuple

import torch
from torch import Tensor

Policy = Callable[[Tensor, Tensor], Tensor]
Critics = Callable[[Tensor, Tensor, Tensor], Tuple[Tensor, Tensor]]
Value = Callable[[Tensor, Tensor], Tensor]

MAX_ROWS = 2_048  # activations of a chunk stay in the cache of a CPU core: 1.8 times faster than 32,768 rows
# a device that is started anew for every product wants large ones; half a GB with
# networks of 3 x 300
MAX_ROWS_OFF_CPU = 131_072


class TransitionBatch(NamedTuple):
    """B transitions of each of K tasks: obs, next_obs (K, B, S); action (K, B, A); reward,
    terminal (K, B, 1); reward unscaled.
    """

    obs: Tensor
    action: Tensor
    reward: Tensor
    next_obs: Tensor
    terminal: Tensor


def post_adaptation_value(
    z: Tensor, initial_obs: Tensor, policy: Policy, critics: Critics, max_rows: int = MAX_ROWS
) -> Tensor:
    """U_psi(tau) = 1/N_U sum_i Q(s_i, a_i, z), a_i ~ pi(.|s_i, z), with Q the smaller critic   (HFR eq. 9).

    z: (N, K, Z), sampled from q(z | tau relabeled with psi); initial_obs: (K, U, S) of
        each task. Returns (N, K).
    """
    num_obs = initial_obs.shape[1]
    utilities = z.new_empty(z.shape[:2])
    for n, k in grid_chunks(z.shape[0], z.shape[1], num_obs, max_rows):
        rows_z = z[n, k].unsqueeze(2).expand(-1, -1, num_obs, -1)
        rows_obs = initial_obs[k].unsqueeze(0).expand(rows_z.shape[0], -1, -1, -1)
        shape = rows_z.shape[:3]
        rows_z, rows_obs = rows_z.flatten(0, 2), rows_obs.flatten(0, 2)
        q = torch.min(*critics(rows_obs, policy(rows_obs, rows_z), rows_z))
        utilities[n, k] = q.view(shape).mean(dim=2)
    return utilities


def negative_bellman_error(
    z: Tensor,
    batch: TransitionBatch,
    critics: Critics,
    value: Value,
    reward_scale: float,
    discount: float,
    max_rows: int = MAX_ROWS,
) -> Tensor:
    """U_psi(tau) = -1/B sum_i (Q(s_i, a_i, z) - (r_i + discount V(s'_i, z)))^2, averaged
    over both critics   (HFR eq. 10, algorithm 2).

    z: (N, K, Z); batch: transitions of each task. Rewards are scaled as in training. Returns (N, K).
    """
    size = batch.obs.shape[1]
    utilities = z.new_empty(z.shape[:2])
    for n, k in grid_chunks(z.shape[0], z.shape[1], size, max_rows):
        rows_z = z[n, k].unsqueeze(2).expand(-1, -1, size, -1)
        paths, shape = rows_z.shape[0], rows_z.shape[:3]
        obs, action, reward, next_obs, terminal = (
            x[k].unsqueeze(0).expand(paths, -1, -1, -1).flatten(0, 2) for x in batch
        )
        rows_z = rows_z.flatten(0, 2)
        target = reward_scale * reward + (1.0 - terminal) * discount * value(next_obs, rows_z)
        q1, q2 = critics(obs, action, rows_z)
        errors = 0.5 * ((q1 - target).square() + (q2 - target).square())
        utilities[n, k] = -errors.view(shape).mean(dim=2)
    return utilities


def soft_q(obs: Tensor, action: Tensor, z: Tensor, critics: Critics, max_rows: int = MAX_ROWS) -> Tensor:
    """Q(s_t, a_t, z_psi) with the smaller critic, the score of a single transition under
    every task   (HIPI eq. 8).

    obs: (T, S); action: (T, A); z: (K, Z). Returns (T, K).
    """
    values = obs.new_empty(len(obs), len(z))
    for t, k in grid_chunks(len(obs), len(z), 1, max_rows):
        rows_z = z[k].expand(len(obs[t]), -1, -1)
        shape = rows_z.shape[:2]
        rows_obs, rows_action = (x[t].unsqueeze(1).expand(*shape, -1).flatten(0, 1) for x in (obs, action))
        values[t, k] = torch.min(*critics(rows_obs, rows_action, rows_z.flatten(0, 1))).view(shape)
    return values


def grid_chunks(first: int, second: int, rows_per_cell: int, max_rows: int) -> Iterator[tuple[slice, slice]]:
    """Cut a (first, second) grid into blocks of at most `max_rows` rows, and of one cell at least."""
    columns = min(second, max(1, max_rows // rows_per_cell))
    lines = min(first, max(1, max_rows // (rows_per_cell * columns)))
    for i in range(0, first, lines):
        for j in range(0, second, columns):
            yield slice(i, i + lines), slice(j, j + columns)
