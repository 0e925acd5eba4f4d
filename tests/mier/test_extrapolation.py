"""Relabeling by the adapted model, and the training that goes on at meta-test."""

from __future__ import annotations

import copy
import csv
import math
import shutil

import numpy as np
import pytest
import torch
from tiny_runs import assignments, options

from env_wrappers import ENVIRONMENTS, make_env
from rlkit_hfr.experiments.commands.extrapolate import main as extrapolate
from rlkit_hfr.experiments.commands.train import main as train
from rlkit_hfr.files import save_sealed
from rlkit_hfr.mier.agent import TaskModel
from rlkit_hfr.mier.config import ExtrapolationConfig
from rlkit_hfr.mier.extrapolation import Extrapolation, Transitions, relabeled
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.pearl.meta_algorithm import DivergedError
from rlkit_hfr.pearl.perceptrons import TanhGaussianPolicy

ROWS = 6
SMALL = dict(
    trajectories=2,
    model_steps=2,
    policy_updates=4,
    relabel_every=2,
    relabeled_rows=40,
    source_tasks=2,
    batch_size=20,
    eval_every=2,
    eval_trajectories=2,
)


def _transitions():
    torch.manual_seed(0)
    parts = [torch.randn(ROWS, width) for width in (2, 1, 1, 2)]
    return Transitions(*parts, torch.ones(ROWS, 1))


def _certain(layout: ContextLayout, phi_dim: int = 1) -> TaskModel:
    """A model whose change of the observation is a and whose reward is phi, without noise."""
    model = TaskModel(layout, phi_dim, 4)
    slope = 0.01
    with torch.no_grad():
        for layer in model.hidden:
            layer.weight.zero_(), layer.bias.zero_()
        first = model.hidden[0].weight  # pairs of units carry the action, and phi, and minus them
        for unit, (column, sign) in enumerate([(2, 1), (2, -1), (3, 1), (3, -1)]):
            first[unit, column] = sign
        for layer in list(model.hidden)[1:]:
            for pair in (0, 2):
                layer.weight[pair, pair], layer.weight[pair, pair + 1] = 1.0, -1.0
                layer.weight[pair + 1, pair], layer.weight[pair + 1, pair + 1] = -1.0, 1.0
            layer.weight.div_(1 + slope)
        model.heads.weight.zero_(), model.heads.bias.zero_()
        unit = torch.tensor([1.0, -1.0]) / (1 + slope)
        model.heads.weight[model.target_dim - 1, 2:] = unit  # the reward's mean
        for row in range(model.target_dim - 1):
            model.heads.weight[row, :2] = unit
        model.max_log_var.fill_(-60.0), model.min_log_var.fill_(-61.0)
    return model


def test_rewards_alone_are_replaced_where_dynamics_are_the_same():
    old, model = _transitions(), _certain(ContextLayout(2, 1))
    policy = TanhGaussianPolicy([4], 3, 1)
    new = relabeled(old, model, policy, torch.tensor([0.75]), lambda next_obs: None)
    for name in ("obs", "actions", "next_obs", "terminals"):
        torch.testing.assert_close(getattr(new, name), getattr(old, name))
    torch.testing.assert_close(new.rewards, torch.full((ROWS, 1), 0.75), atol=1e-5, rtol=0)


def test_where_dynamics_differ_the_policy_acts_and_the_model_steps():
    old, model = _transitions(), _certain(ContextLayout(2, 1, with_next_obs=True))
    policy = TanhGaussianPolicy([4], 3, 1)
    phi = torch.tensor([-0.5])
    torch.manual_seed(5)
    new = relabeled(old, model, policy, phi, lambda next_obs: next_obs[:, 0] > 0.0)
    torch.manual_seed(5)
    actions = policy(torch.cat([old.obs, phi.expand(ROWS, 1)], dim=1)).action
    torch.testing.assert_close(new.obs, old.obs)
    torch.testing.assert_close(new.actions, actions.detach())
    torch.testing.assert_close(new.next_obs, old.obs + actions.detach(), atol=1e-5, rtol=0)
    torch.testing.assert_close(new.rewards, torch.full((ROWS, 1), -0.5), atol=1e-5, rtol=0)
    torch.testing.assert_close(new.terminals, (new.next_obs[:, :1] > 0.0).float())


@pytest.mark.parametrize("relabel", [True, False])
def test_a_batch_has_its_share_of_the_tasks_own(make_mier, relabel):
    config = ExtrapolationConfig(**{**SMALL, "real_share": 0.25, "relabel": relabel})
    adaptation = Extrapolation(make_mier(), config, seed=0)
    own, other = (Transitions(*(torch.full((9, n), value) for n in (2, 2, 1, 2, 1))) for value in (1.0, 2.0))
    batch = adaptation._batch(own, other if relabel else None)
    assert (batch.rewards == 1.0).sum().item() == (5 if relabel else 20)
    assert len(batch.rewards) == 20


def test_figures_come_before_and_after_and_everything_is_put_back(make_mier):
    algorithm = make_mier(use_next_obs_in_context=True)
    algorithm.train()
    before = {name: value.clone() for name, net in algorithm._named_networks().items()
              for name, value in net.state_dict(prefix=name).items()}  # fmt: skip
    rows = Extrapolation(algorithm, ExtrapolationConfig(**SMALL), seed=0).run(5)
    assert [(row.task, row.updates) for row in rows] == [(5, 0), (5, 2), (5, 4)]
    assert all(math.isfinite(row.ret) and math.isfinite(row.model_loss) for row in rows)
    after = {name: value for name, net in algorithm._named_networks().items()
             for name, value in net.state_dict(prefix=name).items()}  # fmt: skip
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_adapted_model_is_trained_on(make_mier):
    """More steps on the model's weights fit the collected data better."""
    algorithm = make_mier(num_iterations=1)
    algorithm.train()
    losses = []
    for steps in (0, 60):
        torch.manual_seed(0)
        config = ExtrapolationConfig(**{**SMALL, "model_steps": steps, "policy_updates": 0})
        losses.append(Extrapolation(algorithm, config, seed=0).run(5)[0].model_loss)
    assert losses[1] < losses[0] - 0.1


@pytest.mark.parametrize(
    "setting",
    [
        dict(trajectories=3),
        dict(adapt_steps=5),
        dict(model_steps=9),
        dict(relabel=False),
        dict(relabel_every=1),
        dict(relabeled_rows=4),
        dict(source_tasks=1),
        dict(real_share=0.5),
        dict(batch_size=8),
        dict(eval_every=1),
        dict(eval_trajectories=3),
        dict(policy_updates=2),
    ],
    ids=str,
)
def test_every_setting_changes_the_figures(make_mier, setting):
    def figures(**changes):
        torch.manual_seed(0)
        config = ExtrapolationConfig(**{**SMALL, **changes})
        rows = Extrapolation(algorithm, config, seed=0).run(5)
        return [(row.ret, row.model_loss) for row in rows]

    algorithm = make_mier(num_iterations=1)
    algorithm.train()
    state = copy.deepcopy(algorithm.state_dict())
    random_state = [env.random_state() for env in algorithm.sampler._envs]
    plain = figures()
    algorithm.load_state_dict(state)
    assert random_state == [env.random_state() for env in algorithm.sampler._envs]
    assert figures() == plain  # the control
    algorithm.load_state_dict(state)
    assert figures(**setting) != plain


def test_a_family_that_does_not_say_when_episodes_end_is_refused(make_mier):
    algorithm = make_mier(use_next_obs_in_context=True)
    algorithm.env.ends_at = lambda next_obs: None
    with pytest.raises(ValueError, match="PointRobot does not say which observations end an episode"):
        Extrapolation(algorithm, ExtrapolationConfig(), seed=0)
    Extrapolation(algorithm, ExtrapolationConfig(relabel=False), seed=0)


RUN = options(assignments(num_iterations=1, num_extra_rl_steps_posterior=20, encoder_size=8))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A MIER's run with its checkpoint."""
    run = tmp_path_factory.mktemp("kept") / "run"
    names = ["--algorithm", "mier", "--env", "point-robot", "--preset", "quick", "--relabeler", "none"]
    assert train([*names, "--run-dir", str(run), "--keep-checkpoint", *RUN]) == 0
    return run


def _refused(arguments, capsys, code=2):
    capsys.readouterr()
    assert extrapolate(arguments) == code
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    return error


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("trajectories=100000", "trajectories must be at most 10,000"),
        ("relabeled_rows=1000000000", "relabeled_rows must be at most 10,000,000"),
        ("batch_size=1e9", "batch_size must be a positive whole number"),
        ("policy_updates=0.0", "policy_updates must be a whole number"),
        ("model_steps=10000000000", "model_steps must be at most 1,000,000,000"),
        ("real_share=NaN", "real_share must be a finite number"),
        ("relabel=1", "relabel must be true or false"),
    ],
)
def test_sizes_and_kinds_of_settings_are_checked_before_anything_is_done(kept, capsys, assignment, message):
    assert message in _refused(["--run", str(kept), "--set", assignment], capsys)


def test_only_a_new_file_or_an_extrapolation_is_written(kept, capsys, tmp_path):
    before = {file: file.read_bytes() for file in kept.iterdir() if file.is_file()}
    for out in (kept / "variant.json", kept / "progress.csv", kept, tmp_path / "nowhere" / "rows.csv"):
        error = _refused(["--run", str(kept), "--out", str(out)], capsys)
        assert "choose another --out" in error
        assert str(out) in error
    assert {file: file.read_bytes() for file in kept.iterdir() if file.is_file()} == before
    small = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    for _ in range(2):  # the second time it replaces its own
        assert extrapolate(["--run", str(kept), "--out", str(tmp_path / "rows.csv"), *small]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["rows.csv"]


def _changed(kept, tmp_path, change):
    """A copy of the run whose checkpoint somebody has changed."""
    run = tmp_path / "run"
    shutil.copytree(kept, run)
    content = torch.load(run / "checkpoint.pt", weights_only=True)
    change(content["algorithm"])
    save_sealed(run / "checkpoint.pt", content)
    return run


def test_a_checkpoint_whose_parts_are_of_another_kind_is_refused(kept, capsys, tmp_path):
    def add_a_part(algorithm):
        algorithm["theirs"] = 1

    run = _changed(kept, tmp_path, add_a_part)
    error = _refused(["--run", str(run)], capsys)
    assert "algorithm has other parts than the run: theirs" in error
    assert not (run / "extrapolation.csv").exists()


def test_an_adaptation_that_is_not_finite_says_so_and_writes_nothing(kept, capsys, tmp_path):
    def break_the_model(algorithm):
        for weight in algorithm["networks"]["model"].values():
            weight.fill_(float("nan"))

    run = _changed(kept, tmp_path, break_the_model)
    error = _refused(["--run", str(run)], capsys, code=1)
    assert "Stopped after 0 of 2 tasks: Model Loss became nan" in error
    assert not (run / "extrapolation.csv").exists()


def test_a_loss_of_the_policy_that_is_not_finite_ends_the_adaptation(make_mier, monkeypatch):
    algorithm = make_mier(num_iterations=1)
    algorithm.train()
    monkeypatch.setattr(algorithm.actor_critic, "target", lambda rows, z, alpha: rows.rewards * math.nan)
    with pytest.raises(DivergedError, match="QF Loss became nan after 2 updates on task 5"):
        Extrapolation(algorithm, ExtrapolationConfig(**SMALL), seed=0).run(5)


def test_what_has_nothing_stored_can_not_relabel(make_mier):
    with pytest.raises(ValueError, match="5 of 5 training tasks have no transitions to relabel"):
        Extrapolation(make_mier(), ExtrapolationConfig(**SMALL), seed=0).run(5)
    config = ExtrapolationConfig(**{**SMALL, "relabel": False})
    assert len(Extrapolation(make_mier(), config, seed=0).run(5)) == 3


@pytest.mark.parametrize("algorithm", ["mier", "pearl"])
def test_the_command_writes_the_figures_of_every_test_task(tmp_path, capsys, algorithm):
    run = tmp_path / "run"
    names = ["--algorithm", algorithm, "--env", "point-robot", "--preset", "quick", "--relabeler", "none"]
    assert train([*names, "--run-dir", str(run), "--keep-checkpoint", *RUN]) == 0
    small = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    torch.set_num_threads(2)
    assert extrapolate(["--run", str(run), *small]) == 0
    assert torch.get_num_threads() == 1  # that of the run
    with open(run / "extrapolation.csv", newline="") as file:
        rows = [(int(row["task"]), int(row["updates"])) for row in csv.DictReader(file)]
    times = [0, 2, 4] if algorithm == "mier" else [0]
    assert rows == [(task, updates) for task in (3, 4) for updates in times]
    capsys.readouterr()
    for arguments, message in (
        (["--set", "policy_update=3"], "unknown setting 'policy_update' (did you mean 'policy_updates'?)"),
        (["--tasks", "3"], "--tasks must be from 1 to 2, got 3"),
        (["--seed", "-1"], "--seed must be a whole number"),
    ):
        assert extrapolate(["--run", str(run), *arguments]) == 2
        assert message in capsys.readouterr().err
    (run / "checkpoint.pt").unlink()
    assert extrapolate(["--run", str(run)]) == 2
    assert "train with --keep-checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in ENVIRONMENTS if not name.startswith(("sawyer", "visual"))])
def test_where_a_family_says_so_its_episodes_end(name):
    """`ends_at` of recorded observations gives the recorded terminals."""
    env, rng = make_env(name, seed=0), np.random.default_rng(0)
    for task in (0, len(env.tasks) - 1):
        env.reset_task(task)
        steps = [env.step(rng.uniform(-1, 1, env.action_space.shape)) for _ in range(60)]
        ends = env.ends_at(np.asarray([step[0] for step in steps], np.float32))
        assert (ends is None) == (name == "four-corners")
        if ends is not None:
            np.testing.assert_array_equal(ends, [step[2] for step in steps])
