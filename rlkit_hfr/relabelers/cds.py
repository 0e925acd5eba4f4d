"""Conservative Data Sharing (Yu et al. 2021, arXiv 2109.08128): a path is shared with every task to which
it is worth more than most of the task's own data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rlkit_hfr.checks import non_negative, one_of, positive_int, share
from rlkit_hfr.paths import PathDict
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler, to_numpy
from rlkit_hfr.scoring.scorer import LATENTS, Scorer
from rlkit_hfr.utility import soft_q


class CDSRelabeler(Relabeler):
    """To every task psi whose conservative Q of the path reaches the (1 - top_share) quantile of the
    conservative Q of the trajectories stored for psi (eq. 5, by paths instead of transitions; the paper's
    data is offline, and it takes psi's own alone). Its own task keeps it.

    Conservative Q of a path: the mean over its steps of min Q(s, a, z_psi) - pessimism |Q1 - Q2|, with
    z_psi from the task's own context. The paper trains Q by CQL; here it is the host's critics, unchanged.
    """

    name = "cds"

    def __init__(
        self,
        *,
        top_share: float = 0.1,
        pessimism: float = 0.0,
        num_partition_samples: int = 20,
        latent: str = "mean",
    ) -> None:
        """top_share: of the task's trajectories, the best that a path must be among; pessimism: weight
        of the critics' disagreement; num_partition_samples: trajectories that the quantile is taken
        over; latent: a "sample" of z_psi, or the "mean" of the posterior."""
        self.top_share = share("top_share", top_share)
        self.pessimism = non_negative("pessimism", pessimism)
        self.num_partition_samples = positive_int("num_partition_samples", num_partition_samples)
        self.latent = one_of("latent", latent, LATENTS)
        self.stored_trajectories = self.num_partition_samples

    def _values(self, obs: Tensor, action: Tensor, z: Tensor, scorer: Scorer) -> Tensor:
        """Conservative Q of rows (R, S), (R, A) under latents (K, Z): (R, K)."""

        def critics(obs: Tensor, action: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
            q1, q2 = scorer.networks.critics(obs, action, z)
            low = torch.min(q1, q2) - self.pessimism * (q1 - q2).abs()
            return low, low

        return soft_q(obs, action, z, critics, scorer.max_rows)

    def _quantiles(self, scorer: Scorer) -> Tensor:
        """What a path must reach under each candidate task: (K,)."""
        (z,) = scorer.once("task_latents", lambda: scorer.task_latents(1, self.latent))
        layout, quantiles = scorer.networks.layout, []
        for k, task in enumerate(scorer.candidate_tasks):
            stored = scorer.memory.trajectories(task, self.num_partition_samples)
            rows = scorer.tensor(np.concatenate(stored))
            values = self._values(rows[:, layout.obs], rows[:, layout.action], z[k : k + 1], scorer)[:, 0]
            means = torch.stack([part.mean() for part in values.split([len(path) for path in stored])])
            quantiles.append(torch.quantile(means, 1.0 - self.top_share))
        return torch.stack(quantiles)

    @torch.no_grad()
    def decide(
        self, paths: Sequence[PathDict], source_tasks: Sequence[int], scorer: Scorer, rng: np.random.Generator
    ) -> list[RelabelDecision]:
        tasks = scorer.candidate_tasks
        needed = to_numpy(scorer.once("conservative_quantiles", lambda: self._quantiles(scorer)))
        (z,) = scorer.once("task_latents", lambda: scorer.task_latents(1, self.latent))
        decisions = []
        for path, source in zip(paths, source_tasks):
            obs, action = scorer.tensor(path["observations"]), scorer.tensor(path["actions"])
            steps = scorer.episode(path).T
            values = (to_numpy(self._values(obs, action, z, scorer)) * steps).sum(axis=0) / steps.sum(axis=0)
            own = tasks.index(source)
            places = [own, *(k for k in np.flatnonzero(values >= needed).tolist() if k != own)]
            probs = np.bincount(places, minlength=len(tasks)) / len(places)
            chosen = tuple(tasks[k] for k in places) if len(places) > 1 else tasks[own]
            decisions.append(RelabelDecision(chosen, probs, values, needed))
        return decisions
