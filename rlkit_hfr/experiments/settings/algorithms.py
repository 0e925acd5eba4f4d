"""The algorithms of the package: the settings of each, and its values on top of a preset's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from rlkit_hfr.checks import did_you_mean
from rlkit_hfr.mier.config import MIERConfig
from rlkit_hfr.pearl.config import MetaRLConfig, PEARLConfig, Settings


@dataclass(frozen=True)
class Algorithm:
    """config: of its `algo_params`; defaults: of the top of a variant, where they are other
    than PEARL's; presets: by name, what it has other than the preset of an environment,
    which is written for PEARL.
    """

    config: type[MetaRLConfig]
    defaults: Settings = field(default_factory=dict)
    presets: Mapping[str, Settings] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, object]:
        """Every setting of `algo_params` with its default."""
        return {field.name: field.default for field in dataclasses.fields(self.config)}


ALGORITHMS: dict[str, Algorithm] = {
    "pearl": Algorithm(PEARLConfig),
    "mier": Algorithm(
        MIERConfig,
        defaults=dict(net_size=256),
        presets={
            # MIER, appendix A
            "paper": dict(
                net_size=256, num_train_steps_per_itr=1000, embedding_batch_size=256, reward_scale=1.0
            ),
            # a sharp model has steep gradients: without the clip its loss after adaptation grows again
            "quick": dict(entropy_lr=1e-3, embedding_batch_size=128, reward_scale=1.0, adapt_clip=10.0),
        },
    ),
}


def find_algorithm(name: object) -> Algorithm:
    """ValueError for a name that is not in `ALGORITHMS`."""
    if not isinstance(name, str) or name not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise ValueError(f"unknown algorithm {name!r}{did_you_mean(str(name), ALGORITHMS)}; known: {known}")
    return ALGORITHMS[name]


def belongs_to_others(key: str, name: str) -> bool:
    """Whether a bare setting is one of other algorithms than `name` alone."""
    return key not in ALGORITHMS[name].settings and any(
        key in other.settings for other in ALGORITHMS.values()
    )
