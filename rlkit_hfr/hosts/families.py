"""The families of PEARL code bases, and which of them an algorithm belongs to."""

from __future__ import annotations

from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.hosts.install import Host


class OysterHost(Host):
    """oyster, its descendants and the built-in PEARL: the algorithm itself holds the
    networks (oyster: torch/sac/sac.py).
    """

    name = "oyster"

    @classmethod
    def owner_of(cls, algorithm: object) -> object:
        return algorithm


class RlkitHost(Host):
    """Berkeley's rlkit: a MetaRLAlgorithm with a trainer (rlkit:
    core/meta_rl_algorithm.py, torch/smac/pearl.py).

    Networks, reward scale and discount are the trainer's; the algorithm's own
    `reward_scale` is not the one that trains.
    """

    name = "rlkit"

    @classmethod
    def owner_of(cls, algorithm: object) -> object:
        return getattr(algorithm, "trainer", None)


# name -> family, in the order in which they are tried
HOSTS: dict[str, type[Host]] = {cls.name: cls for cls in (OysterHost, RlkitHost)}


def find_host(algorithm: object, host: str | None) -> type[Host]:
    """The family of an algorithm: the named one, or the first that lacks nothing, or else
    the one that lacks least.
    """
    if host is None:
        return min(HOSTS.values(), key=lambda family: len(family.missing(algorithm)))
    if not isinstance(host, str) or host not in HOSTS:
        raise ValueError(f"unknown host {host!r}{did_you_mean(str(host), HOSTS)}; known: {', '.join(HOSTS)}")
    return HOSTS[host]
