"""HFR against loops written from the paper, and in worlds whose answer is known."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from plain_formulas import PlainFormulas
from two_tasks import TwoTaskNetworks, path_with_action, two_task_scorer

from rlkit_hfr import attach
from rlkit_hfr.relabelers import make_relabeler


def _everything_stored(scorer):
    """How many trajectories and initial states each task has: asking for exactly these
    makes draws without replacement complete.
    """
    return len(scorer.memory.all_trajectories(0)), len(scorer.memory._initial_obs[0].items)


@pytest.mark.parametrize("env_name", ["four-corners", "point-robot", "sparse-point-robot"])
@pytest.mark.parametrize("temperature", [3.0, 9.0])
def test_hfr_equals_algorithm_1(world, env_name, temperature):
    algorithm, relabeler, scorer, paths = world(
        "hfr",
        env_name,
        temperature=temperature,
        num_initial_states=4,
        num_partition_samples=4,
        normaliser="trajectories",
    )
    assert _everything_stored(scorer) == (4, 4)
    reference = PlainFormulas(algorithm, scorer)
    with torch.no_grad():
        expected = np.stack([reference.probs(path, reference.hfr, temperature) for path in paths])
        wrong = [
            np.stack([reference.probs(path, u, t, p) for path in paths])
            for u, t, p in (
                (reference.hfr, temperature, False),
                (reference.hfr, temperature / 3, True),
                (lambda tau, task: 0.0, temperature, True),
            )
        ]
    decisions = relabeler.decide(paths, [0] * len(paths), scorer, np.random.default_rng(0))
    actual = np.stack([d.probs for d in decisions])
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    for other in wrong:  # no log Z, another temperature, no utility: each would be noticed
        assert np.abs(actual - other).max() > 1e-3


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_two_task_world_has_the_known_answer_whatever_a_task_pays_in_general(make_path, offset):
    scorer = two_task_scorer(offset)
    relabeler = make_relabeler("hfr", num_partition_samples=2, normaliser="trajectories", temperature=1.0)
    (decision,) = relabeler.decide(
        [path_with_action(math.log(2.0), make_path)], [0], scorer, np.random.default_rng(0)
    )
    # U = (log 2, offset - log 2); Z = (mean(1, 3), e^offset mean(1, 1/3)) = (2, 2/3
    # e^offset): odds 2/2 to (1/2)/(2/3).
    np.testing.assert_allclose(decision.utilities, [math.log(2.0), offset - math.log(2.0)], atol=1e-4)
    np.testing.assert_allclose(decision.probs, [4 / 7, 3 / 7], atol=1e-4)
    relabeler = make_relabeler("hfr", normaliser="off", temperature=1.0)
    (ablation,) = relabeler.decide(
        [path_with_action(math.log(2.0), make_path)], [0], scorer, np.random.default_rng(0)
    )
    assert ablation.probs[1] == pytest.approx(1.0 if offset else 0.2, abs=1e-4)
    assert np.isnan(ablation.log_partition).all()


@pytest.mark.parametrize("method", ["hfr", "hipi-trajectory"])
def test_a_task_that_pays_a_multiple_takes_everything_unless_its_partition_is_taken_off(make_path, method):
    """HIPI figure 2, HFR figure 8b: the second task pays 200 times what the first does.
    Every path is worth more under it; with log Z only those go there that are good by
    its own standards.
    """
    scorer = two_task_scorer(scale=200.0)
    good, poor = (
        path_with_action(math.log(3.0), make_path, length=3),
        path_with_action(math.log(1.1), make_path, length=3),
    )
    on, off = (
        make_relabeler(method, num_partition_samples=2, normaliser=name, temperature=1.0)
        for name in ("trajectories", "off")
    )
    rng = np.random.default_rng(0)
    with_z, without_z = (relabeler.decide([good, poor], [0, 0], scorer, rng) for relabeler in (on, off))
    for decision in without_z:
        np.testing.assert_allclose(decision.probs, [0.0, 1.0], atol=1e-6)
    # log Z is log((1 + e^u) / 2), u the score of the better trajectory stored: the path
    # that equals it has odds (1 + e^-u) to (1 + e^-200u).
    u = math.log(3.0) * (1 if method == "hfr" else 3 * TwoTaskNetworks.reward_scale)
    odds = 2 / (1 + math.exp(-u))
    np.testing.assert_allclose(with_z[0].probs, [odds / (odds + 2), 2 / (odds + 2)], rtol=1e-3)
    np.testing.assert_allclose(with_z[1].probs, [1.0, 0.0], atol=1e-6)


def test_padding_does_not_change_a_utility(make_path):
    """Paths of different lengths scored together get what they get alone."""
    scorer = two_task_scorer()
    relabeler = make_relabeler("hfr", num_partition_samples=2, normaliser="trajectories", temperature=1.0)
    paths = [
        path_with_action(0.3, make_path, 2),
        path_with_action(-0.7, make_path, 9),
        path_with_action(0.1, make_path, 5),
    ]
    together = relabeler.utilities(paths, scorer)
    alone = torch.cat([relabeler.utilities([path], scorer) for path in paths])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(together[:, 0], torch.tensor([0.3, -0.7, 0.1]))


def _state(algorithm):
    env = algorithm.env
    return copy.deepcopy(
        (env._rng.bit_generator.state, env._task_idx, env._state, torch.get_rng_state().numpy())
    )


def test_hfr_by_rollouts_follows_the_simulator_in_the_critics_units_and_leaves_the_host_alone(
    make_algorithm, monkeypatch
):
    algorithm = make_algorithm("point-robot", reward_scale=7.0)
    options = dict(utility="rollouts", num_rollouts=40, latent="mean", normaliser="off", temperature=1.0)
    relabeling = attach(algorithm, "hfr", seed=0, **options)
    for task in algorithm.train_tasks:
        algorithm.collect_data([task], 20)
    algorithm.agent.clear_z()
    paths = algorithm.sampler.obtain_paths(algorithm.train_tasks[:1])
    scorer, before = relabeling.scorer, _state(algorithm)
    monkeypatch.setattr(type(scorer.networks), "action", lambda self, obs, z, noise: -obs)
    with scorer.networks.isolated():
        utilities = relabeling.relabeler.utilities(paths, scorer)
        (decision,) = relabeling.relabeler.decide(paths, [0], scorer, np.random.default_rng(0))
    np.testing.assert_equal(_state(algorithm), before)
    # the point goes towards the middle from wherever it began, which costs |psi| a step or somewhat more
    norms = np.linalg.norm(algorithm.env.tasks[algorithm.train_tasks], axis=1)
    weights = 7.0 * sum(algorithm.discount**t for t in range(algorithm.max_path_length))
    assert np.corrcoef(-norms, utilities[0])[0, 1] > 0.8
    assert (utilities.numpy() / weights > -norms - 1.0).all()
    assert decision.probs.sum() == pytest.approx(1.0)
    critic = make_relabeler("hfr", latent="mean", normaliser="off")
    with scorer.networks.isolated():
        assert (critic.utilities(paths, scorer) - utilities).abs().max() > 1.0


def test_what_can_not_be_simulated_is_refused(make_algorithm):
    algorithm = make_algorithm("point-robot", num_iterations=1)
    attach(algorithm, "hfr", utility="rollouts", relabel_fraction=1.0, seed=0)
    del algorithm.max_path_length
    with pytest.raises(ValueError, match="without max_path_length.*utility='critic'"):
        algorithm.enc_replay_buffer._router.scorer.networks.simulator()
    for bad in ({"utility": "true"}, {"num_rollouts": 0}, {"num_rollouts": 3}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            make_relabeler("hfr", **bad)
