"""The settings that papers name for an environment: HFR's configurations; oyster's of the
point robots, cheetah-dir, ant-dir, humanoid-dir, hopper and walker; ours of visual-reacher,
for which the papers name none.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace

Value = float | str | None  # of a setting; None where the default holds
Values = dict[str, Value]

# Families whose few tasks are trained and tested alike, and how many there are.
SAME_TASKS = {"four-corners": 4, "cheetah-dir": 2, "ant-dir": 2}


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings of one environment, under their names in a variant.

    Steps are environment steps. None: the preset does not name it, PEARL's default
    holds.
    """

    n_train_tasks: int
    n_eval_tasks: int
    num_iterations: int
    num_tasks_sample: int
    num_initial_steps: int
    num_steps_prior: int
    num_steps_posterior: int
    num_extra_rl_steps_posterior: int
    num_train_steps_per_itr: int
    num_evals: int
    num_steps_per_eval: int
    num_exp_traj_eval: int
    max_path_length: int
    discount: float
    reward_scale: float
    kl_lambda: float
    embedding_batch_size: int
    meta_batch: int
    num_initial_states: int
    temperature: float | None = None
    latent: str | None = None
    relabel_into: str | None = None
    batch_size: int | None = None
    net_size: int | None = None
    encoder_size: int | None = None
    soft_target_tau: float | None = None
    policy_lr: float | None = None
    qf_lr: float | None = None
    vf_lr: float | None = None
    context_lr: float | None = None
    lr_end_factor: float | None = None
    min_embedding_batch_size: int | None = None
    initial_stickiness: float | None = None
    entropy_weight: float | None = None
    eval_sampled: bool | None = None
    num_train_tasks_eval: int | None = None
    tolerance: float | None = None
    obs_unit: float | None = None
    sparse_rewards: bool | None = None
    use_next_obs_in_context: bool | None = None

    def settings(self) -> Values:
        """What the preset names."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


_POINT_ROBOT = Preset(
    n_train_tasks=80,
    n_eval_tasks=20,
    num_iterations=500,
    num_tasks_sample=5,
    num_initial_steps=200,
    num_steps_prior=200,
    num_steps_posterior=0,
    num_extra_rl_steps_posterior=200,
    num_train_steps_per_itr=1000,
    num_evals=2,
    num_steps_per_eval=60,
    num_exp_traj_eval=1,
    max_path_length=20,
    discount=0.99,
    reward_scale=100.0,
    kl_lambda=0.1,
    embedding_batch_size=64,
    meta_batch=16,
    num_initial_states=64,
    temperature=1.0,
    latent="sample",
)
_SPARSE_POINT_ROBOT = replace(
    _POINT_ROBOT,
    num_tasks_sample=10,
    num_steps_prior=100,
    num_steps_posterior=900,
    num_extra_rl_steps_posterior=0,
    num_steps_per_eval=400,
    num_exp_traj_eval=5,
    discount=0.9,
    kl_lambda=1.0,
    embedding_batch_size=1024,
    sparse_rewards=True,
)
_SAWYER_PUSH = Preset(
    n_train_tasks=50,
    n_eval_tasks=10,
    num_iterations=90,
    num_tasks_sample=10,
    num_initial_steps=2000,
    num_steps_prior=400,
    num_steps_posterior=600,
    num_extra_rl_steps_posterior=0,
    num_train_steps_per_itr=1000,
    num_evals=2,
    num_steps_per_eval=600,
    num_exp_traj_eval=2,
    max_path_length=150,
    discount=0.99,
    reward_scale=100.0,
    kl_lambda=0.1,
    embedding_batch_size=64,
    meta_batch=16,
    num_initial_states=256,
    temperature=1.0,
    latent="sample",
)
_CHEETAH_VEL_SPARSE = Preset(
    n_train_tasks=100,
    n_eval_tasks=30,
    num_iterations=160,
    num_tasks_sample=5,
    num_initial_steps=2000,
    num_steps_prior=400,
    num_steps_posterior=600,
    num_extra_rl_steps_posterior=0,
    num_train_steps_per_itr=1000,
    num_evals=2,
    num_steps_per_eval=600,
    num_exp_traj_eval=2,
    max_path_length=200,
    discount=0.99,
    reward_scale=5.0,
    kl_lambda=0.1,
    embedding_batch_size=100,
    meta_batch=16,
    num_initial_states=256,
    temperature=1.0,
    latent="sample",
)
# Dense rewards: what is collected with z from the posterior is for the RL buffer alone.
_CHEETAH_VEL = replace(
    _CHEETAH_VEL_SPARSE, num_steps_posterior=0, num_extra_rl_steps_posterior=600, num_evals=1
)
_ANT_GOAL = replace(
    _CHEETAH_VEL_SPARSE,
    num_iterations=180,
    num_tasks_sample=10,
    num_evals=1,
    kl_lambda=1.0,
    embedding_batch_size=256,
    num_initial_states=64,
)
_ANT_DIR = replace(
    _CHEETAH_VEL,
    n_train_tasks=2,
    n_eval_tasks=2,
    num_iterations=500,
    num_train_steps_per_itr=4000,
    num_evals=4,
    embedding_batch_size=256,
    meta_batch=4,
    num_initial_states=64,
)
_HOPPER_RAND_PARAMS = replace(
    _CHEETAH_VEL,
    n_train_tasks=40,
    n_eval_tasks=10,
    num_iterations=500,
    num_train_steps_per_itr=4000,
    num_evals=2,
    meta_batch=10,
    num_initial_states=64,
    use_next_obs_in_context=True,  # dynamics show in next states
)
_CHEETAH_NEGATED_JOINTS = replace(
    _CHEETAH_VEL, n_train_tasks=10, n_eval_tasks=10, use_next_obs_in_context=True
)
_ANT_NEGATED_JOINTS = replace(_CHEETAH_NEGATED_JOINTS, embedding_batch_size=256, num_initial_states=64)

PAPER: dict[str, Preset] = {
    "point-robot": _POINT_ROBOT,
    "sparse-point-robot": _SPARSE_POINT_ROBOT,
    "four-corners": replace(
        _SPARSE_POINT_ROBOT,
        n_train_tasks=4,
        n_eval_tasks=4,
        num_iterations=300,
        meta_batch=8,
        num_initial_states=1024,
        sparse_rewards=None,
    ),
    "sawyer-reach": replace(_SAWYER_PUSH, num_iterations=40, reward_scale=10.0),
    "sawyer-push": _SAWYER_PUSH,
    "cheetah-vel-sparse": _CHEETAH_VEL_SPARSE,
    "cheetah-vel": _CHEETAH_VEL,
    "cheetah-highdim": replace(_CHEETAH_VEL, num_iterations=180, num_tasks_sample=10),
    "cheetah-dir": replace(
        _ANT_DIR, num_steps_prior=1000, num_extra_rl_steps_posterior=1000, num_train_steps_per_itr=2000
    ),
    "ant-goal": _ANT_GOAL,
    "ant-vel": replace(
        _CHEETAH_VEL,
        n_train_tasks=150,
        num_tasks_sample=10,
        kl_lambda=1.0,
        embedding_batch_size=256,
        meta_batch=10,
    ),
    "ant-dir": _ANT_DIR,
    "humanoid-dir": replace(
        _CHEETAH_VEL,
        num_iterations=500,
        num_train_steps_per_itr=4000,
        embedding_batch_size=256,
        num_initial_states=64,
    ),
    "visual-reacher": replace(
        _SAWYER_PUSH,
        num_iterations=60,
        num_initial_steps=1000,
        num_steps_prior=200,
        num_steps_posterior=300,
        num_steps_per_eval=200,
        max_path_length=50,
        discount=0.95,
        reward_scale=10.0,
        embedding_batch_size=100,
        num_initial_states=128,
    ),
    # MIER section 5.2.2: ten training and ten test tasks
    "cheetah-negated-joints": _CHEETAH_NEGATED_JOINTS,
    "ant-negated-joints": _ANT_NEGATED_JOINTS,
    "ant-broken-leg": replace(_ANT_NEGATED_JOINTS, n_train_tasks=3, n_eval_tasks=1),
    "hopper-rand-params": _HOPPER_RAND_PARAMS,
    "walker-rand-params": _HOPPER_RAND_PARAMS,
    # Randomised dynamics change nothing else.
    "ant-goal-rand-params": _ANT_GOAL,
    "cheetah-vel-sparse-rand-params": _CHEETAH_VEL_SPARSE,
}
