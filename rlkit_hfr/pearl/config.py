"""Every setting of the built-in PEARL, and those that other algorithms share with it, stated
once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from rlkit_hfr.precision import check_precision

Settings = Mapping[str, object]  # of a run, by name, as in variant.json


_POSITIVE = {
    "batch_size",
    "embedding_batch_size",
    "max_path_length",
    "meta_batch",
    "num_envs",
    "num_evals",
    "num_exp_traj_eval",
    "num_initial_steps",
    "num_iterations",
    "num_steps_per_eval",
    "num_tasks_sample",
    "replay_buffer_size",
}


def _checked(field: dataclasses.Field[object], value: object) -> object:
    """The value of a setting by itself. ValueError if it is of another kind than the field, or too small."""
    if field.name == "precision":
        return check_precision(value)
    if field.type == "bool":
        if not isinstance(value, (bool, int)) or value not in (0, 1):
            raise ValueError(f"{field.name} must be true or false, got {value!r}")
        return bool(value)
    whole = field.type == "int"
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ValueError(f"{field.name} must be a {'whole ' if whole else ''}number, got {value!r}")
    if not value >= (1 if field.name in _POSITIVE else 0) or value == float("inf"):
        least = "positive" if field.name in _POSITIVE else "zero or more"
        raise ValueError(f"{field.name} must be {least}, got {value!r}")
    return value


@dataclass(frozen=True, kw_only=True)
class MetaRLConfig:
    """Settings of the loop and of what every algorithm's updates need, under the names that
    oyster's `algo_params` use. Steps are environment steps.
    """

    meta_batch: int = 16  # tasks in one gradient update
    num_iterations: int = 500  # rounds of collection, training and evaluation
    num_initial_steps: int = 2000  # steps collected for every training task before the first round
    # probability that an action of these steps is the one before it (sticky actions, Machado et al. 2018):
    # random actions that last lead further
    initial_stickiness: float = 0.0
    num_tasks_sample: int = 5  # training tasks visited in a round
    num_steps_prior: int = 400  # steps per visit with z from the prior
    num_steps_posterior: int = 0  # steps per visit with z from the posterior
    # steps per visit with z from the posterior, for the RL buffer alone
    num_extra_rl_steps_posterior: int = 400
    num_train_steps_per_itr: int = 2000  # gradient updates in a round
    num_evals: int = 2  # independent adaptations per task and evaluation
    num_steps_per_eval: int = 600  # steps of one adaptation
    num_exp_traj_eval: int = 1  # trajectories of an adaptation with z from the prior
    eval_deterministic: bool = True  # evaluate with the mean action
    eval_sampled: bool = False  # evaluate test tasks with sampled actions as well, in columns of their own
    num_train_tasks_eval: int = 0  # training tasks in an evaluation; 0: as many as there are test tasks
    batch_size: int = 256  # transitions per task in the RL batch
    embedding_batch_size: int = 64  # transitions per task in the context batch
    # the fewest of them: an update draws their number between both, log-uniformly, so that the agent
    # also learns what to do when it has seen little; 0: always embedding_batch_size
    min_embedding_batch_size: int = 0
    max_path_length: int = 200  # steps after which an episode is cut (a time-out, never a terminal)
    discount: float = 0.99
    soft_target_tau: float = 0.005  # share of V that moves into the target V at each update
    policy_lr: float = 3e-4
    qf_lr: float = 3e-4
    lr_end_factor: float = 1.0  # the learning rates fall linearly to this share of themselves over the run
    reward_scale: float = 5.0  # factor on rewards in the Bellman target; the inverse of SAC's entropy weight
    # context and evaluation use info["sparse_reward"], the critic the dense reward
    sparse_rewards: bool = False
    use_next_obs_in_context: bool = False  # context rows end with the next observation
    replay_buffer_size: int = 1_000_000  # transitions per task and buffer; memory is taken as it fills
    num_envs: int = 10  # environments stepped side by side
    # threads that step them; 0: as many as torch has, at most 4, where an environment
    # says that it helps
    step_threads: int = 0
    # of the updates' matrix products: fp32, bf16, or auto (bf16 on CPUs made for it,
    # else fp32)
    precision: str = "fp32"

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            # a truth value may be written as 1 or 0
            object.__setattr__(self, field.name, _checked(field, getattr(self, field.name)))
        if self.num_steps_prior + self.num_steps_posterior == 0:
            raise ValueError(
                "num_steps_prior and num_steps_posterior are both 0; a visit must collect context with one of"
                " them"
            )
        if not self.discount < 1.0:
            raise ValueError(f"discount must be below 1, got {self.discount}")
        if self.min_embedding_batch_size > self.embedding_batch_size:
            raise ValueError(
                "min_embedding_batch_size must be at most embedding_batch_size = "
                f"{self.embedding_batch_size}, got {self.min_embedding_batch_size}"
            )
        if not self.initial_stickiness < 1.0:
            raise ValueError(f"initial_stickiness must be below 1, got {self.initial_stickiness}")
        if not 0.0 < self.lr_end_factor <= 1.0:
            raise ValueError(f"lr_end_factor must be in (0, 1], got {self.lr_end_factor}")
        if not 0.0 < self.soft_target_tau <= 1.0:
            raise ValueError(f"soft_target_tau must be in (0, 1], got {self.soft_target_tau}")


@dataclass(frozen=True, kw_only=True)
class PEARLConfig(MetaRLConfig):
    """Settings of `PEARLSoftActorCritic`."""

    vf_lr: float = 3e-4
    context_lr: float = 3e-4
    policy_mean_reg_weight: float = 1e-3  # weight of the mean of squared policy means
    policy_std_reg_weight: float = 1e-3  # weight of the mean of squared policy log standard deviations
    entropy_weight: float = 1.0  # SAC's alpha, in units of the scaled rewards
    kl_lambda: float = 0.1  # weight of KL(q(z|c) || N(0, I))
    use_information_bottleneck: bool = True  # False: z is the mean of the encoder's rows, deterministic
