"""The papers' settings, scaled down to minutes on two cores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rlkit_hfr.experiments.settings.paper_presets import PAPER, Preset, Value, Values


def _quick(name: str, **changes: Value) -> Preset:
    """A run of minutes whose critic converges, and `changes`.

    Small networks and batches, larger learning rates, and a target network that follows in
    1 / (tau (1 - gamma)) = 1,000 updates, a quarter of those that are made, or less. The
    reward scale of the paper stands in the weight of the entropy instead (1 / scale) and in
    that of the KL (its weight / scale^2), which leaves the optimum as it is and brings the
    values that the critic must reach from thousands to tens. 20 test tasks, evaluated with
    mean and with sampled actions.
    """
    paper = PAPER[name]
    rate = 1e-3
    shared: Values = dict(
        net_size=64,
        encoder_size=64,
        meta_batch=10,
        batch_size=32,
        policy_lr=rate,
        qf_lr=rate,
        vf_lr=rate,
        context_lr=rate,
        soft_target_tau=0.02,
        discount=min(paper.discount, 0.95),
        reward_scale=1.0,
        entropy_weight=1.0 / paper.reward_scale,
        kl_lambda=max(1e-4, paper.kl_lambda / paper.reward_scale**2),
        num_initial_states=64,
        temperature=None,
        latent=None,
        num_train_steps_per_itr=200,
        n_eval_tasks=20 if paper.n_train_tasks >= 20 else paper.n_eval_tasks,
        num_evals=1,
        eval_sampled=True,
        num_train_tasks_eval=5,
    )
    both: dict[str, Any] = {**shared, **changes}
    return replace(paper, **both)


def _quick_point(name: str, **changes: Value) -> Preset:
    shared: Values = dict(n_train_tasks=40, num_iterations=30, num_initial_steps=100, num_steps_prior=100)
    return _quick(name, **{**shared, **changes})


def _quick_sawyer(name: str, length: int, **changes: Value) -> Preset:
    """Episodes of `length` steps, two with z from the prior and four from the posterior a visit."""
    shared: Values = dict(
        n_train_tasks=40,
        num_iterations=40,
        max_path_length=length,
        num_initial_steps=2 * length,
        num_tasks_sample=10,
        num_steps_prior=2 * length,
        num_steps_posterior=4 * length,
        num_steps_per_eval=4 * length,
        entropy_weight=0.005,
    )
    return _quick(name, **{**shared, **changes})


def _quick_locomotion(name: str, **changes: Value) -> Preset:
    """Shorter episodes and visits; their steps with z from the posterior are of the paper's kind."""
    posterior = "num_steps_posterior" if PAPER[name].num_steps_posterior else "num_extra_rl_steps_posterior"
    shared: Values = dict(
        n_train_tasks=20,
        num_iterations=25,
        num_initial_steps=200,
        max_path_length=100,
        num_steps_prior=200,
        num_steps_per_eval=300,
        entropy_weight=0.05,
    )
    return _quick(name, **{**shared, posterior: 200, **changes})


_TWO_TASKS: Values = dict(n_train_tasks=2, n_eval_tasks=2, meta_batch=4, num_train_tasks_eval=2)

QUICK: dict[str, Preset] = {
    # Where the critic converges, contexts that stay as they were collected do better (docs/learning.md 11):
    # a test does not begin with relabeled successes.
    "point-robot": _quick_point("point-robot", num_extra_rl_steps_posterior=100, relabel_into="rl"),
    "sparse-point-robot": _quick_point(
        "sparse-point-robot", num_steps_posterior=200, num_steps_per_eval=160, embedding_batch_size=256
    ),
    # Independent random actions do not get to a corner; sticky ones do, one episode in thirty. At the
    # paper's discount of .9 standing still is worth -10 and the way round the square -7.5; at .97 it is -33
    # against -11. The entropy keeps actions wide until a corner is known.
    "four-corners": _quick(
        "four-corners",
        num_iterations=100,
        num_initial_steps=40_000,
        initial_stickiness=0.9,
        num_tasks_sample=4,
        num_steps_prior=400,
        num_steps_posterior=400,
        num_steps_per_eval=200,
        num_train_steps_per_itr=1000,
        meta_batch=4,
        batch_size=128,
        embedding_batch_size=256,
        min_embedding_batch_size=4,
        discount=0.97,
        entropy_weight=0.2,
        lr_end_factor=0.1,
        relabel_into="rl",
        num_initial_states=256,
        num_train_tasks_eval=4,
    ),
    # Random actions reach a 5 cm ball in one episode of hundreds: twice the tolerance. A success ends an
    # episode, so that one row of a trajectory tells where the goal is: context batches that take in most
    # of a visit, of drawn sizes, because the first trajectories of an adaptation tell less. Positions in
    # decimetres, since what tells one goal from another is a tenth of what an action is.
    "sawyer-reach": _quick_sawyer(
        "sawyer-reach",
        length=75,
        tolerance=0.1,
        obs_unit=0.1,
        num_iterations=25,
        num_train_steps_per_itr=1000,
        meta_batch=20,
        relabel_into="rl",
        num_initial_steps=300,
        num_tasks_sample=20,
        embedding_batch_size=256,
        min_embedding_batch_size=4,
        kl_lambda=1e-3,
        lr_end_factor=0.1,
        entropy_weight=0.02,
    ),
    "sawyer-push": _quick_sawyer("sawyer-push", length=50),
    # Speeds come slowly: with the 5,000 updates of the other cheetahs returns end a third lower.
    "cheetah-vel-sparse": _quick_locomotion(
        "cheetah-vel-sparse",
        num_train_steps_per_itr=1000,
        meta_batch=20,
        min_embedding_batch_size=4,
        lr_end_factor=0.1,
        relabel_into="rl",
    ),
    "cheetah-vel": _quick_locomotion("cheetah-vel"),
    "cheetah-highdim": _quick_locomotion("cheetah-highdim"),
    "cheetah-dir": _quick_locomotion("cheetah-dir", **_TWO_TASKS),
    "ant-goal": _quick_locomotion("ant-goal"),
    "ant-vel": _quick_locomotion("ant-vel"),
    "ant-dir": _quick_locomotion("ant-dir", **_TWO_TASKS),
    "humanoid-dir": _quick_locomotion("humanoid-dir"),
    "visual-reacher": _quick_locomotion(
        "visual-reacher", max_path_length=50, num_steps_per_eval=200, entropy_weight=0.02
    ),
    "ant-goal-rand-params": _quick_locomotion("ant-goal-rand-params"),
    "cheetah-vel-sparse-rand-params": _quick_locomotion("cheetah-vel-sparse-rand-params"),
    "cheetah-negated-joints": _quick_locomotion(
        "cheetah-negated-joints", n_train_tasks=10, num_train_tasks_eval=5
    ),
    "ant-negated-joints": _quick_locomotion("ant-negated-joints", n_train_tasks=10, num_train_tasks_eval=5),
    "ant-broken-leg": _quick_locomotion("ant-broken-leg", n_train_tasks=3, num_train_tasks_eval=3),
    "hopper-rand-params": _quick_locomotion("hopper-rand-params"),
    "walker-rand-params": _quick_locomotion("walker-rand-params"),
}
