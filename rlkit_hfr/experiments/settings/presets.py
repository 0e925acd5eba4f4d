"""Hyper-parameters by environment: `paper` holds the reference values, `quick` a scaled-down run that fits minutes on two cores."""
from __future__ import annotations

from typing import Any

from rlkit_hfr.relabelers import did_you_mean

Settings = dict[str, Any]

PRESETS = ("paper", "quick")

# Families whose few tasks are trained and tested alike, and how many there are.
SAME_TASKS = {"four-corners": 4, "cheetah-dir": 2, "ant-dir": 2}

_NUMBERS = (
    "n_train_tasks", "n_eval_tasks", "num_iterations", "num_tasks_sample", "num_initial_steps",
    "num_steps_prior", "num_steps_posterior", "num_extra_rl_steps_posterior", "num_train_steps_per_itr",
    "num_evals", "num_steps_per_eval", "num_exp_traj_eval", "max_path_length", "discount", "reward_scale", "kl_lambda",
    "embedding_batch_size", "meta_batch", "num_initial_states",
)  # fmt: skip

# HFR's configurations; oyster's of the point robots, cheetah-dir, ant-dir, humanoid-dir, hopper and walker; those of visual-reacher are ours,
# because the paper names none.
_PAPER: dict[str, tuple[float, ...]] = {
    #                      train eval  iter tasks init  prior post extra updates evals steps expl  H  gamma scale  KL  context meta N_U
    "point-robot":        (80,   20,   500,  5,   200,  200,   0,  200,  1000,   2,    60,   1,   20, .99, 100.,  .1,    64,  16,   64),
    "sparse-point-robot": (80,   20,   500, 10,   200,  100, 900,    0,  1000,   2,   400,   5,   20, .90, 100., 1.0,  1024,  16,   64),
    "four-corners":       (4,     4,   300, 10,   200,  100, 900,    0,  1000,   2,   400,   5,   20, .90, 100., 1.0,  1024,   8, 1024),
    "sawyer-reach":       (50,   10,    40, 10,  2000,  400, 600,    0,  1000,   2,   600,   2,  150, .99,  10.,  .1,    64,  16,  256),
    "sawyer-push":        (50,   10,    90, 10,  2000,  400, 600,    0,  1000,   2,   600,   2,  150, .99, 100.,  .1,    64,  16,  256),
    "cheetah-vel-sparse": (100,  30,   160,  5,  2000,  400, 600,    0,  1000,   2,   600,   2,  200, .99,   5.,  .1,   100,  16,  256),
    "cheetah-vel":        (100,  30,   160,  5,  2000,  400,   0,  600,  1000,   1,   600,   2,  200, .99,   5.,  .1,   100,  16,  256),
    "cheetah-highdim":    (100,  30,   180, 10,  2000,  400,   0,  600,  1000,   1,   600,   2,  200, .99,   5.,  .1,   100,  16,  256),
    "cheetah-dir":        (2,     2,   500,  5,  2000, 1000,   0, 1000,  2000,   4,   600,   2,  200, .99,   5.,  .1,   256,   4,   64),
    "ant-goal":           (100,  30,   180, 10,  2000,  400, 600,    0,  1000,   1,   600,   2,  200, .99,   5., 1.0,   256,  16,   64),
    "ant-vel":            (150,  30,   160, 10,  2000,  400,   0,  600,  1000,   1,   600,   2,  200, .99,   5., 1.0,   256,  10,  256),
    "ant-dir":            (2,     2,   500,  5,  2000,  400,   0,  600,  4000,   4,   600,   2,  200, .99,   5.,  .1,   256,   4,   64),
    "humanoid-dir":       (100,  30,   500,  5,  2000,  400,   0,  600,  4000,   1,   600,   2,  200, .99,   5.,  .1,   256,  16,   64),
    "visual-reacher":     (50,   10,    60, 10,  1000,  200, 300,    0,  1000,   2,   200,   2,   50, .95,  10.,  .1,   100,  16,  128),
    "hopper-rand-params": (40,   10,   500,  5,  2000,  400,   0,  600,  4000,   2,   600,   2,  200, .99,   5.,  .1,   100,  10,   64),
    "walker-rand-params": (40,   10,   500,  5,  2000,  400,   0,  600,  4000,   2,   600,   2,  200, .99,   5.,  .1,   100,  10,   64),
}  # fmt: skip
for _name in ("ant-goal", "cheetah-vel-sparse"):  # randomised dynamics change nothing else
    _PAPER[f"{_name}-rand-params"] = _PAPER[_name]

_NEXT_OBS: Settings = {"use_next_obs_in_context": True}  # dynamics show in next states
_PAPER_EXTRA: dict[str, Settings] = {
    "sparse-point-robot": {"sparse_rewards": True}, "hopper-rand-params": _NEXT_OBS, "walker-rand-params": _NEXT_OBS,
}  # fmt: skip

_QUICK_SHARED: Settings = {"net_size": 128, "meta_batch": 10, "batch_size": 64, "num_initial_states": 64}

_POINT_QUICK: Settings = {
    "n_train_tasks": 40, "n_eval_tasks": 10, "num_iterations": 50, "num_initial_steps": 100, "num_train_steps_per_itr": 200,
}  # fmt: skip
_LOCOMOTION_QUICK: Settings = {
    "n_train_tasks": 20, "n_eval_tasks": 5, "num_iterations": 20, "num_initial_steps": 400, "num_steps_prior": 200,
    "num_train_steps_per_itr": 200, "num_evals": 1,
}  # fmt: skip
_TWO_TASKS_QUICK: Settings = {**_LOCOMOTION_QUICK, "n_train_tasks": 2, "n_eval_tasks": 2, "meta_batch": 4}
_SAWYER_QUICK: Settings = {
    "n_train_tasks": 20, "n_eval_tasks": 5, "num_iterations": 25, "num_tasks_sample": 10, "num_initial_steps": 600, "num_steps_prior": 300,
    "num_steps_posterior": 300, "num_train_steps_per_itr": 200, "num_evals": 2, "num_steps_per_eval": 600,
}  # fmt: skip

_QUICK: dict[str, Settings] = {
    "point-robot": {**_POINT_QUICK, "num_steps_prior": 100, "num_extra_rl_steps_posterior": 100},
    "sparse-point-robot": {
        **_POINT_QUICK, "num_steps_prior": 100, "num_steps_posterior": 200, "num_steps_per_eval": 160, "embedding_batch_size": 256,
    },
    "four-corners": {
        "num_iterations": 40, "num_steps_prior": 100, "num_steps_posterior": 300, "num_train_steps_per_itr": 200,
        "num_steps_per_eval": 200, "embedding_batch_size": 256, "meta_batch": 8, "num_initial_states": 256,
    },
    "sawyer-reach": _SAWYER_QUICK,
    "sawyer-push": _SAWYER_QUICK,
    "cheetah-vel-sparse": {**_LOCOMOTION_QUICK, "num_steps_posterior": 200},
    "cheetah-vel": {**_LOCOMOTION_QUICK, "num_extra_rl_steps_posterior": 200},
    "cheetah-highdim": {**_LOCOMOTION_QUICK, "num_extra_rl_steps_posterior": 200},
    "cheetah-dir": {**_TWO_TASKS_QUICK, "num_extra_rl_steps_posterior": 200},
    "ant-goal": {**_LOCOMOTION_QUICK, "num_steps_posterior": 200},
    "ant-vel": {**_LOCOMOTION_QUICK, "num_extra_rl_steps_posterior": 200},
    "ant-dir": {**_TWO_TASKS_QUICK, "num_extra_rl_steps_posterior": 200},
    "humanoid-dir": {**_LOCOMOTION_QUICK, "num_extra_rl_steps_posterior": 200},
    "visual-reacher": {**_LOCOMOTION_QUICK, "num_initial_steps": 200, "num_steps_posterior": 200},
    "ant-goal-rand-params": {**_LOCOMOTION_QUICK, "num_steps_posterior": 200},
    "cheetah-vel-sparse-rand-params": {**_LOCOMOTION_QUICK, "num_steps_posterior": 200},
    "hopper-rand-params": {**_LOCOMOTION_QUICK, "num_extra_rl_steps_posterior": 200},
    "walker-rand-params": {**_LOCOMOTION_QUICK, "num_extra_rl_steps_posterior": 200},
}  # fmt: skip


def preset(env_name: str, name: str) -> Settings:
    """The settings of a preset for one environment, by the flat names of `rlkit_hfr.experiments.settings.variant`."""
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
    if env_name not in _PAPER:
        raise ValueError(f"there is no preset for the environment {env_name!r}{did_you_mean(env_name, _PAPER)}; known: {', '.join(sorted(_PAPER))}")
    settings: Settings = {**dict(zip(_NUMBERS, _PAPER[env_name], strict=True)), **_PAPER_EXTRA.get(env_name, {})}
    if name == "quick":
        settings |= {**_QUICK_SHARED, **_QUICK[env_name]}
    return settings
