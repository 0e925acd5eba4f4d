"""CDS in a world whose Q-values are known: shared with tasks where the path beats the quantile, and kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rlkit_hfr import attach
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory


class Networks:
    """z_psi is what the task's own context was paid; Q is the first action less z_psi, and the other critic
    is higher by the second action."""

    device = torch.device("cpu")
    reward_scale, discount, sparse_rewards, context_batch_size = 1.0, 0.9, False, 4
    layout = ContextLayout(obs_dim=2, action_dim=2)

    def posterior(self, context, mask):
        mean = context[..., 4].mean(dim=1, keepdim=True)
        return mean, torch.zeros_like(mean)

    def critics(self, obs, action, z):
        q = action[:, :1] - z
        return q, q + action[:, 1:]


@pytest.fixture
def scorer():
    memory = TaskMemory([10, 20], 5, 1, np.random.default_rng(0))
    for task, offset in ((10, 0.0), (20, 7.0)):
        for value in (0.0, 1.0, 2.0, 3.0, 4.0):  # Q of the task's own trajectories, less its offset
            rows = np.zeros((3, 5), np.float32)
            rows[:, 2], rows[:, 4] = value if task == 10 else value + 0.5, offset
            memory.add(task, rows, np.zeros(2, np.float32))
    return Scorer(Networks(), memory, Hindsight(pytest.fail), [10, 20], np.random.SeedSequence(0))


def _decide(scorer, make_path, first, second=0.0, source=10, **options):
    scorer.refresh()
    actions = np.tile(np.array([first, second], np.float32), (4, 1))
    relabeler = make_relabeler("cds", num_partition_samples=5, **options)
    return relabeler.decide([make_path(4, actions=actions)], [source], scorer, np.random.default_rng(0))[0]


def test_a_path_is_shared_where_it_reaches_the_quantile_of_the_tasks_own_values(scorer, make_path):
    """Top 25 % of five values: the second best, 3 for task 10 and 3.5 for task 20."""
    decision = _decide(scorer, make_path, 3.2, top_share=0.25)
    np.testing.assert_allclose(decision.log_partition, [3.0, 3.5 - 7.0])
    np.testing.assert_allclose(decision.utilities, [3.2, 3.2 - 7.0], rtol=1e-5)
    assert decision.tasks == 10  # it is among task 10's best and not among task 20's
    assert _decide(scorer, make_path, 3.6, top_share=0.25).tasks == (10, 20)
    np.testing.assert_array_equal(_decide(scorer, make_path, 3.6, top_share=0.25).probs, [0.5, 0.5])
    assert _decide(scorer, make_path, 3.2, source=20, top_share=0.25).tasks == (20, 10)
    assert _decide(scorer, make_path, -9.0, source=20, top_share=0.25).tasks == 20  # it keeps what it has


def test_the_share_and_the_pessimism_change_who_gets_it(scorer, make_path):
    assert _decide(scorer, make_path, 1.0, top_share=0.25).tasks == 10
    assert _decide(scorer, make_path, 1.0, top_share=0.9).tasks == (10, 20)
    assert _decide(scorer, make_path, 3.6, 0.4, top_share=0.25).tasks == (10, 20)
    # the critics disagree by 0.4 on the path and agree on what the tasks own
    assert _decide(scorer, make_path, 3.6, 0.4, top_share=0.25, pessimism=1.0).tasks == 10


def test_where_paths_end_with_their_new_tasks_episode_later_steps_do_not_count(scorer, make_path):
    """Q is 3 at first and 9 later; an episode of task 20 would have ended with the second step."""

    def rewards(path, tasks):
        terminals = np.zeros((len(tasks), len(path["rewards"])), bool)
        terminals[list(tasks).index(20), 1] = True
        return TaskRewards(terminals * 0.0, terminals)

    actions = np.array([[3.0, 0.0], [3.0, 0.0], [9.0, 0.0], [9.0, 0.0]], np.float32)
    relabeler = make_relabeler("cds", num_partition_samples=5, top_share=0.25)
    utilities = {}
    for after_terminal, tasks in (("keep", (10, 20)), ("drop", 10)):
        ended = Scorer(
            Networks(), scorer.memory, Hindsight(rewards, after_terminal=after_terminal), [10, 20],
            np.random.SeedSequence(0),
        )  # fmt: skip
        (decision,) = relabeler.decide([make_path(4, actions=actions)], [10], ended, np.random.default_rng(0))
        assert decision.tasks == tasks
        utilities[after_terminal] = decision.utilities
    np.testing.assert_allclose(utilities["keep"], [6.0, 6.0 - 7.0])
    np.testing.assert_allclose(utilities["drop"], [6.0, 3.0 - 7.0])


@pytest.mark.parametrize(("latent", "number"), [("mean", 1), ("sample", 20)])
def test_the_latent_is_a_sample_or_the_mean(scorer, make_path, monkeypatch, latent, number):
    monkeypatch.setattr(
        Networks, "posterior", lambda self, context, mask: (context[:, 0, 4:], torch.ones(len(context), 1))
    )
    drawn = {_decide(scorer, make_path, 0.0, latent=latent).utilities[0] for _ in range(20)}
    assert len(drawn) == number


def test_what_a_task_is_worth_in_general_does_not_matter(scorer, make_path):
    """Task 20 is worth 7 less on every path, its own included."""
    passes = [20 in np.atleast_1d(_decide(scorer, make_path, q, top_share=0.25).tasks) for q in (3.4, 3.6)]
    assert passes == [False, True]


def test_options_are_checked():
    for bad in ({"top_share": 1.5}, {"pessimism": -1.0}, {"num_partition_samples": 0}, {"latent": "mode"}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            make_relabeler("cds", **bad)


def test_copies_reach_the_other_tasks_and_the_original_stays(make_algorithm):
    algorithm = make_algorithm("point-robot", num_iterations=2)
    relabeling = attach(algorithm, "cds", top_share=1.0, relabel_fraction=1.0, seed=0)
    algorithm.train()
    stored = sum(buffer.num_steps_can_sample() for buffer in algorithm.replay_buffer.task_buffers.values())
    assert stored > algorithm._n_env_steps_total
    assert relabeling.statistics["relabel/probability of own task"] > 0.0
