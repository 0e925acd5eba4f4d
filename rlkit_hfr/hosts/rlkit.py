"""Berkeley's rlkit: a MetaRLAlgorithm with a trainer (rlkit: core/meta_rl_algorithm.py, torch/smac/pearl.py)."""
from __future__ import annotations

from typing import Any

from rlkit_hfr.hosts.base import Host


class RlkitHost(Host):
    """Networks, reward scale and discount are the trainer's; the algorithm's own `reward_scale` is not the one that trains."""

    name = "rlkit"

    @classmethod
    def owner_of(cls, algorithm: Any) -> Any:
        return getattr(algorithm, "trainer", None)
