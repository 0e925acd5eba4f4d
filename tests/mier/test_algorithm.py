"""MIER's model, what its settings change, and relabeling on it."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from tiny_runs import with_data

from env_wrappers import make_env
from rlkit_hfr import RELABELERS, attach
from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.context_model import InnerSteps, adapt_context
from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.runs.checkpoint import NAME
from rlkit_hfr.experiments.settings.algorithms import ALGORITHMS
from rlkit_hfr.mier.algorithm import MIER
from rlkit_hfr.pearl.sac import Rows


def test_the_model_learns_from_its_own_loss_alone(make_mier):
    """The critics' update leaves the model as it is, and the model's loss is that of the paper."""
    algorithm = with_data(make_mier(context_regression_weight=0.5, log_var_weight=0.25))
    model = algorithm.model
    context = algorithm.sample_context([0, 1])
    rows = algorithm._context_rows(algorithm._batch([0, 1]))
    loss, _ = algorithm.model_loss(context, rows)
    phi = adapt_context(model, *model.split(context), InnerSteps())
    shift = (phi - model.phi).square().sum(dim=1).mean()
    expected = model.nll(*model.split(rows), phi).mean() + 0.5 * shift + 0.25 * model.log_var_penalty()
    torch.testing.assert_close(loss, expected)
    weights = [weight.detach().clone() for weight in model.parameters()]
    obs, actions, rewards, next_obs, terminals = (
        x.flatten(0, 1).float() for x in algorithm._batch([0, 1])[:5]
    )
    task_z = phi.repeat_interleave(16, dim=0)  # with its graph
    model.zero_grad()
    algorithm.actor_critic.update(Rows(obs, actions, rewards, next_obs, terminals, task_z))
    assert all(weight.grad is None for weight in model.parameters())
    torch.testing.assert_close(weights, [weight.detach() for weight in model.parameters()])


@pytest.mark.parametrize(
    "setting",
    [
        dict(adapt_steps=1),
        dict(adapt_lr=0.5),
        dict(adapt_steps=4, late_adapt_lr_factor=0.1),
        dict(adapt_clip=1e-3),
        dict(context_regression_weight=10.0),
        dict(log_var_weight=1.0),
        dict(model_lr=1e-2),
        dict(entropy_lr=1e-1),
        dict(entropy_deficit=0.5),
        dict(num_model_steps=2),
        dict(min_embedding_batch_size=4),
        dict(lr_end_factor=0.5),
        dict(meta_learn_context=False),
        dict(reward_scale=2.0),
        dict(use_next_obs_in_context=True),
    ],
    ids=str,
)
def test_every_setting_changes_the_updates(make_mier, setting):
    def weights(**changes):
        algorithm = with_data(make_mier(**changes))
        torch.manual_seed(3)
        for _ in range(2):
            algorithm._do_training([0, 2, 4])
            algorithm._n_train_steps_total += 1
        nets = algorithm._named_networks().values()
        return torch.cat([weight.flatten() for net in nets for weight in net.state_dict().values()])

    # the control differs in what only later steps, or four of them, can tell
    control = {"adapt_steps": 4} if "late_adapt_lr_factor" in setting else {}
    plain, changed = weights(**control), weights(**setting)
    assert plain.shape != changed.shape or not torch.equal(plain, changed)


def test_evaluation_adapts_by_its_own_number_of_steps(make_mier):
    algorithm = make_mier(eval_adapt_steps=7)
    seen = []
    algorithm._return_from_stored_context = lambda tasks: (
        seen.append(algorithm.agent.inner_steps.steps) or 0.0
    )
    algorithm.train()
    assert seen == [7, 7]
    assert algorithm.agent.inner_steps.steps == 2


def test_a_fixed_phi_0_stays_zero_and_a_learned_one_moves(make_mier):
    for learned in (False, True):
        algorithm = with_data(make_mier(meta_learn_context=learned))
        algorithm._do_training([0, 1, 2])
        assert bool(algorithm.model.phi.detach().abs().sum() > 0) == learned


@pytest.mark.parametrize("name", RELABELERS)
def test_every_relabeler_attaches_for_three_iterations(make_mier, name):
    env = make_env("sparse-point-robot", n_tasks=7, seed=0)
    env.tolerance = 0.95  # so wide that the first trajectories reach goals
    algorithm = make_mier(env=env, num_iterations=3)
    rows = []
    algorithm.on_epoch_end = rows.append
    attach(algorithm, name, relabel_fraction=1.0, seed=0)
    algorithm.train()
    first, *later = ([key for key in row if key.startswith("relabel/")] for row in rows)
    assert later == [first, first]
    assert set(first) >= set(RelabelStatistics([0]).columns())
    on_sampling = name.endswith("-sampling")
    offered = "relabel/sampled transitions relabeled" if on_sampling else "relabel/paths relabeled"
    assert all(row[offered] > 0 for row in rows)
    changed = max(row["relabel/share that changed task"] for row in rows)
    assert changed == 0 if name == "none" else changed > 0
    assert np.isfinite([row[loss] for row in rows for loss in ("Model Loss", "QF Loss", "Policy Loss")]).all()


def test_attaching_without_relabeling_changes_nothing(make_mier):
    logs = []
    for attached in (False, True):
        algorithm = make_mier()
        rows = []
        algorithm.on_epoch_end = rows.append
        if attached:
            attach(algorithm, "hfr", relabel_fraction=0.0, seed=1)
        algorithm.train()
        logs.append([[row[key] for key in ("Model Loss", "QF Loss", "Policy Loss")] for row in rows])
    assert logs[0] == logs[1]


QUICK = ["n_train_tasks=3", "n_eval_tasks=2", "num_initial_steps=20", "num_tasks_sample=2"]
QUICK += ["num_steps_prior=20", "num_extra_rl_steps_posterior=20", "num_train_steps_per_itr=3"]
QUICK += ["num_steps_per_eval=40", "meta_batch=2", "batch_size=8", "embedding_batch_size=8", "net_size=8"]
QUICK += ["encoder_size=8", "num_initial_states=4", "num_partition_samples=2"]


def _arguments(folder, *settings):
    pairs = [part for item in (*QUICK, *settings) for part in ("--set", item)]
    return [
        "--algorithm",
        "mier",
        "--env",
        "point-robot",
        "--preset",
        "quick",
        "--run-dir",
        str(folder),
        *pairs,
    ]


def _log(folder):
    with open(folder / "progress.csv", newline="") as file:
        return [{k: v for k, v in row.items() if not k.endswith("(s)") and "time" not in k}
                for row in csv.DictReader(file)]  # fmt: skip


def _weights(folder):
    """Of every network and optimizer at the end of a run whose checkpoint was kept, as bytes."""

    def parts(value):
        if isinstance(value, dict):
            return {key: parts(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [parts(part) for part in value]
        return value.numpy().tobytes() if isinstance(value, torch.Tensor) else value

    state = torch.load(folder / NAME, weights_only=True)["algorithm"]
    return parts({key: state[key] for key in ("networks", "optimizers")})


def test_a_run_that_was_killed_goes_on_bit_for_bit(tmp_path, kill_in_call, capsys):
    def arguments(folder):
        return [*_arguments(folder, "num_iterations=3"), "--relabeler", "hfr", "--keep-checkpoint"]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(arguments(whole)) == 0
    # three updates an iteration: in the second update of the second
    kill_in_call(lambda: main(arguments(killed)), MIER, "_do_training", 5)
    assert len(_log(killed)) == 1
    assert main(["--resume", str(killed), "--keep-checkpoint"]) == 0
    assert _log(killed) == _log(whole)
    assert len(_log(whole)) == 3
    assert _weights(killed) == _weights(whole)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "kl_lambda=1"], "unknown setting 'kl_lambda'"),
        (["--set", "adapt_lr=-1"], "adapt_lr must be zero or more, got -1"),
        (["--set", "algorithm=mire"], "unknown algorithm 'mire' (did you mean 'mier'?); known: pearl, mier"),
        (["--host", "oyster"], "--host oyster runs its own PEARL, got algorithm 'mier'"),
        (["--env", "visual-reacher"], "algorithm 'mier' has no model of images"),
    ],
)
def test_what_can_not_be_served_is_said(capsys, arguments, message):
    code = main(["--algorithm", "mier", "--env", "point-robot", "--preset", "quick", "--dry-run", *arguments])
    assert code == 2
    assert message in capsys.readouterr().err


def test_every_algorithm_can_be_named_and_built():
    from rlkit_hfr.experiments.commands import train
    from rlkit_hfr.experiments.runs.build import BUILDERS

    assert tuple(ALGORITHMS) == train._ALGORITHMS == tuple(BUILDERS)


@pytest.mark.parametrize("with_next_obs", [False, True])
def test_its_model_is_a_source_of_hindsight_rewards(make_mier, with_next_obs):
    """`rewards="model"` predicts by the algorithm's model, and leaves it alone."""
    logs = []
    for fraction in (None, 0.0, 1.0):
        algorithm, rows = make_mier(use_next_obs_in_context=with_next_obs), []
        algorithm.on_epoch_end = rows.append
        if fraction is not None:
            relabeling = attach(algorithm, "hfr", rewards="model", relabel_fraction=fraction, seed=0)
        algorithm.train()
        logs.append([row["Model Loss"] for row in rows])
    assert logs[0] == logs[1] != logs[2]
    learner = relabeling.scorer._hindsight.learner
    assert learner._model is algorithm.model
    algorithm.agent.clear_z()
    path = algorithm.sampler.obtain_paths([0])[0]
    learner.fit()
    inputs = torch.as_tensor(np.concatenate([path["observations"], path["actions"]], axis=1))
    expected = algorithm.model.predict(inputs.float(), learner._phi[1])[0][:, -1]
    found = learner.rewards(path, [1]).rewards[0]
    np.testing.assert_allclose(found, expected.detach().numpy(), atol=1e-5)


def test_a_model_of_sparse_rewards_is_no_source(make_mier):
    algorithm = make_mier("sparse-point-robot", sparse_rewards=True)
    with pytest.raises(ValueError, match="MIER's model learns the rewards that the context sees"):
        attach(algorithm, "hfr", rewards="model")


def test_a_comparison_has_algorithms_as_an_axis(tmp_path):
    from rlkit_hfr.experiments.sweeps.jobs import grid

    axis = ["algorithm=pearl,mier"]
    jobs = grid(["point-robot"], ["none"], range(1), axis, "quick", None, tmp_path)
    assert [job.variant()["algorithm"] for job in jobs] == ["pearl", "mier"]
    assert len({job.folder for job in jobs}) == 2


@pytest.mark.parametrize("name", ["random", "hipi-sampling"])
def test_nothing_is_relabeled_by_its_model_before_that_has_been_trained(make_mier, name):
    algorithm, rows = make_mier(num_iterations=2), []
    algorithm.on_epoch_end = rows.append
    relabeling = attach(algorithm, name, rewards="model", relabel_fraction=1.0, seed=0)
    learner = relabeling.scorer._hindsight.learner
    assert not learner.ready
    algorithm.train()
    assert learner.ready
    moved = "relabel/sampled transitions relabeled" if name == "hipi-sampling" else "relabel/paths relabeled"
    assert rows[0][moved] == 0 < rows[1][moved]


def test_a_resumed_run_knows_whether_its_model_has_been_trained(make_mier):
    trained, twin = (make_mier() for _ in range(2))
    learners = [
        attach(algorithm, "random", rewards="model", seed=0).scorer._hindsight.learner
        for algorithm in (trained, twin)
    ]
    trained.collect_data(trained.train_tasks, 20)
    twin.model.load_state_dict(trained.model.state_dict())
    learners[1].load_state_dict(learners[0].state_dict())
    for algorithm, learner in zip((trained, twin), learners, strict=True):
        learner.fit()
        assert not learner.ready
        model = algorithm.model
        model.standardise(torch.randn(9, model.input_dim), torch.randn(9, model.target_dim))
        between = learner.state_dict()  # trained, and not adapted anew yet
        learner.fit()
        assert learner.ready
        learner.load_state_dict(between)
        assert not learner.ready
        learner.fit()
    later = make_mier()
    later.model.load_state_dict(trained.model.state_dict())
    learner = attach(later, "random", rewards="model", seed=0).scorer._hindsight.learner
    learner.load_state_dict(learners[0].state_dict())
    assert learner.ready


def test_a_model_that_was_trained_before_attach_relabels_at_once(make_mier):
    algorithm = make_mier()
    algorithm.train()
    relabeling = attach(algorithm, "random", rewards="model", relabel_fraction=1.0, seed=0)
    for _ in range(2):
        algorithm.collect_data(algorithm.train_tasks, 20)
    assert relabeling.scorer.can_reward
    assert relabeling.statistics["relabel/paths relabeled"] > 0


def test_air_compares_with_no_returns_that_an_untrained_model_predicted(make_mier):
    algorithm = make_mier()
    relabeling = attach(algorithm, "air", rewards="model", relabel_fraction=1.0, seed=0)
    algorithm.collect_data(algorithm.train_tasks, 20)
    assert len(relabeling.relabeler._recent) == 0
    assert np.isnan(relabeling.statistics["relabel/learned reward RMSE"])
    algorithm.train()
    assert len(relabeling.relabeler._recent) > 0
