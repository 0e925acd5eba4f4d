"""What is reported of an adaptation, and how far the critic has come."""

from __future__ import annotations

import numpy as np
import pytest

from rlkit_hfr.pearl.evaluation import adapt, critic_convergence


def test_evaluation_reports_each_trajectory_of_an_adaptation(make_algorithm):
    algorithm = make_algorithm(
        "sparse-point-robot", num_steps_per_eval=30, num_evals=2, num_exp_traj_eval=2, sparse_rewards=True
    )
    seen = []
    infer = algorithm.agent.infer_posterior
    algorithm.agent.infer_posterior = lambda context, mask: (
        seen.append((context.shape, int(mask.sum()))),
        infer(context, mask),
    )
    result, paths = adapt(algorithm.agent, algorithm.sampler, [1, 5], algorithm.config)
    assert result.returns.shape == result.successes.shape == (2, 3)
    assert [len(run) for run in paths] == [3] * 4
    assert seen == [((4, 20, 5), 80), ((4, 30, 5), 120)]  # after the second trajectory, and after the third
    expected = [
        [
            np.mean([runs[i]["env_infos"]["sparse_reward"].sum() for runs in paths[2 * t : 2 * t + 2]])
            for i in range(3)
        ]
        for t in range(2)
    ]
    np.testing.assert_allclose(result.returns, expected, rtol=1e-5)


def test_sampled_actions_are_evaluated_beside_the_means(make_algorithm):
    rows = []
    for on in (False, True):
        algorithm = make_algorithm(
            "sparse-point-robot",
            num_iterations=1,
            sparse_rewards=True,
            eval_sampled=on,
            num_train_tasks_eval=3,
        )
        algorithm.on_epoch_end = rows.append
        seen = []
        obtain = algorithm.sampler.obtain_paths
        algorithm.sampler.obtain_paths = lambda tasks, deterministic=False, o=obtain, s=seen, **options: (
            s.append((list(tasks), deterministic)) or o(tasks, deterministic, **options)
        )
        algorithm.train()
        tests = [deterministic for tasks, deterministic in seen if set(tasks) == set(algorithm.eval_tasks)]
        assert set(tests) == ({True, False} if on else {True})
        trained = [
            tasks
            for tasks, deterministic in seen
            if deterministic and set(tasks) <= set(algorithm.train_tasks)
        ]
        assert {len(tasks) for tasks in trained} == {3}
    name = "test/trajectory 1 success (sampled actions)"
    assert np.isnan(rows[0][name])
    assert 0.0 <= rows[1][name] <= 1.0
    assert list(rows[0]) == list(rows[1])


def test_convergence_of_a_critic_is_that_of_a_moving_target():
    """A target that moves by tau towards 1 + gamma times itself has the fixed point 1 / (1 - gamma)."""
    value = 0.0
    for updates in range(1, 200):
        value += 0.1 * (1.0 + 0.9 * value - value)
        if updates in (1, 50, 199):
            assert critic_convergence(updates, tau=0.1, discount=0.9) == pytest.approx(value / 10.0)
    assert critic_convergence(0, tau=0.1, discount=0.9) == 0.0
