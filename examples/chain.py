"""A task family of one's own: walk along a line to the place that the task names.

python -m rlkit_hfr train --env examples.chain:Chain --set num_iterations=3
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from env_wrappers import HindsightEnv, HindsightRewards


class Chain(HindsightEnv):
    """Reward: minus the distance to the goal. An episode ends within `near` of it."""

    action_scale = 0.2
    default_settings: ClassVar[dict[str, Any]] = dict(  # what a run takes unless it is told otherwise
        num_iterations=20,
        num_initial_steps=60,
        num_tasks_sample=4,
        num_steps_prior=40,
        num_extra_rl_steps_posterior=40,
        num_train_steps_per_itr=50,
        num_evals=1,
        num_steps_per_eval=40,
        max_path_length=20,
        meta_batch=4,
        batch_size=32,
        embedding_batch_size=32,
        net_size=32,
        num_initial_states=8,
    )

    def __init__(
        self, n_tasks: int = 10, length: float = 1.0, near: float = 0.0, seed: int | None = None
    ) -> None:
        """length: goals are spread over [-length, length]."""
        if length <= 0:
            raise ValueError(f"length must be positive, got {length}")
        self.near = near
        goals = np.random.default_rng(0).permutation(np.linspace(-length, length, n_tasks))
        super().__init__(goals[:, None], obs_dim=1, action_dim=1, seed=seed)
        self._place = np.zeros(1)

    def _reset(self) -> np.ndarray:
        self._place = self._rng.uniform(-0.1, 0.1, size=1)
        return self._place.copy()

    def _advance(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self._place = self._place + action
        return self._place.copy(), self._place

    def reward_of(self, achieved: np.ndarray, task: np.ndarray) -> HindsightRewards:
        miss = np.abs(achieved[..., 0].astype(np.float64) - task[..., 0])
        return HindsightRewards((-miss).astype(np.float32), miss < self.near)
