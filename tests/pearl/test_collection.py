"""What a visit collects, and which buffer gets it."""

from __future__ import annotations


def test_collection_fills_both_buffers_as_the_phases_say(make_algorithm):
    algorithm = make_algorithm(
        "point-robot", num_steps_prior=10, num_steps_posterior=20, num_extra_rl_steps_posterior=30
    )
    algorithm.collect_data([0, 1], 10)
    algorithm._visit([0])
    assert algorithm.replay_buffer.num_steps_can_sample(0) == 70
    assert algorithm.enc_replay_buffer.num_steps_can_sample(0) == 30  # cleared, prior, posterior
    assert algorithm.enc_replay_buffer.num_steps_can_sample(1) == 10
    assert algorithm._n_env_steps_total == 80
