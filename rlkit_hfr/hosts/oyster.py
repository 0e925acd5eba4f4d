"""oyster, its descendants and the carried PEARL: the algorithm itself holds the networks (oyster: torch/sac/sac.py)."""
from __future__ import annotations

from typing import Any

from rlkit_hfr.hosts.base import Host


class OysterHost(Host):
    name = "oyster"

    @classmethod
    def owner_of(cls, algorithm: Any) -> Any:
        return algorithm
