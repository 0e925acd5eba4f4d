"""HFR-Bellman: the utility is the critic's fit given the trajectory (HFR appendix A.1, algorithm 2)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from rlkit_hfr.checks import positive_int
from rlkit_hfr.relabelers.hfr import ForesightRelabeler
from rlkit_hfr.relabelers.relabeler import default_temperature
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.utility import TransitionBatch, negative_bellman_error


class HFRBellmanRelabeler(ForesightRelabeler):
    """U = minus the mean squared temporal-difference error on transitions of the task,
    given z (HFR eq. 10).
    """

    name = "hfr-bellman"
    needs_value = True

    def __init__(self, *, num_transitions: int = 256, **options: Any) -> None:
        """num_transitions: N of algorithm 2; the rest as `TrajectoryRelabeler`."""
        super().__init__(**options)
        self.num_transitions = positive_int("num_transitions", num_transitions)

    @property
    def softmax_temperature(self) -> float:
        """As of the other methods, of an error that is squared."""
        return default_temperature(self.reward_scale**2) if self.temperature is None else self.temperature

    def foresight(self, z: Tensor, scorer: Scorer) -> Tensor:
        nets = scorer.networks
        batch = TransitionBatch(
            *scorer.once("transitions", lambda: tuple(scorer.transitions(self.num_transitions)))
        )
        return negative_bellman_error(
            z, batch, nets.critics, scorer.value, nets.reward_scale, nets.discount, scorer.max_rows
        )
