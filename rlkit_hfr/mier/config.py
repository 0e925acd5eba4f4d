"""Every setting of MIER, stated once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from rlkit_hfr.checks import positive_int, share, whole
from rlkit_hfr.pearl.config import MetaRLConfig


@dataclass(frozen=True, kw_only=True)
class MIERConfig(MetaRLConfig):
    """Settings of `MIER`. Where the paper gives a value it is the default; its release's is
    in the comment. `use_next_obs_in_context` says what the model predicts: the reward alone,
    or the next observation and the reward, for tasks that differ in their dynamics.
    """

    num_train_steps_per_itr: int = 1000
    embedding_batch_size: int = 256  # transitions per task in the batch that phi adapts on
    reward_scale: float = 1.0  # the entropy's weight adapts instead
    adapt_steps: int = 2  # inner gradient steps on phi while training and collecting
    eval_adapt_steps: int = 2  # and in evaluations (release: 2, 10 or 20)
    adapt_lr: float = 0.1  # alpha, their learning rate (release: 0.01)
    late_adapt_lr_factor: float = 1.0  # factor on alpha after the first two steps (release: 0.1)
    adapt_clip: float = 0.0  # largest norm of an inner gradient; 0: none (release: 10)
    meta_learn_context: bool = True  # phi_0 is learned; false: it stays zero (release)
    context_regression_weight: float = 0.01  # weight of |phi_T - phi_0|^2 (release: 0)
    log_var_weight: float = 0.01  # weight of the distance between the bounds of the log-variances
    model_lr: float = 1e-3  # Adam's, of the model's weights and phi_0 (release)
    num_model_steps: int = 1  # updates of the model before each update of the policy
    entropy_lr: float = 3e-4  # Adam's, of the logarithm of the entropy's weight
    # the policy's entropy is held at minus this many nats; 0: one for each dimension of the
    # action (release: 1)
    entropy_deficit: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ExtrapolationConfig:
    """Settings of `Extrapolation`, of each test task (MIER section 4.3 and its release)."""

    trajectories: int = 2  # collected before adaptation
    adapt_steps: int = 2  # gradient steps on phi (release: 2, 10 or 20)
    model_steps: int = 100  # further gradient steps on the model's weights
    policy_updates: int = 20_000  # of the actor-critic
    relabel: bool = True  # false: train the policy on the task's own transitions alone
    relabel_every: int = 500  # updates after which the pool is relabeled anew
    relabeled_rows: int = 100_000  # transitions in the pool
    source_tasks: int = 20  # training tasks that they are from
    real_share: float = 0.05  # share of a batch that was collected on the task itself
    batch_size: int = 256  # transitions in a batch
    eval_every: int = 1000  # updates between two evaluations
    eval_trajectories: int = 4  # of an evaluation

    def __post_init__(self) -> None:
        zero = {"policy_updates", "model_steps", "adapt_steps"}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "bool":
                if not isinstance(value, bool):
                    raise ValueError(f"{field.name} must be true or false, got {value!r}")
            elif field.type == "float":
                share(field.name, value)
            elif field.name in zero:
                whole(field.name, value)
            else:
                positive_int(field.name, value)
