"""Images: what they show, and that bytes stay bytes until the networks."""

from __future__ import annotations

import copy

import mujoco
import numpy as np
import pytest
import torch

from env_wrappers import make_env
from rlkit_hfr.pearl.pixels import CONV_FEATURES, ConvPixels, ScaledPixels, pixel_features
from rlkit_hfr.pearl.sac import PEARLSoftActorCritic, build_nets


def test_the_newer_frame_comes_last_and_the_target_is_not_shown():
    env = make_env("visual-reacher", seed=0)
    first = env.reset_task(0).reshape(2, 16, 16)
    np.testing.assert_array_equal(first[0], first[1])
    second = env.step(np.ones(2))[0].reshape(2, 16, 16)
    np.testing.assert_array_equal(second[0], first[1])
    assert not np.array_equal(second[1], second[0])
    other = copy.deepcopy(env)
    env.reset_task(1), other.reset_task(2)
    assert env._goal.tolist() != other._goal.tolist()
    np.testing.assert_array_equal(env._observe(), other._observe())


def test_the_image_tells_where_the_tip_is():
    """The most similar of other images has its tip about a centimetre away: enough for a goal of 3 cm."""
    env, rng = make_env("visual-reacher", seed=0), np.random.default_rng(0)
    images, tips = [], []
    for _ in range(4000):
        env.data.qpos[:2] = rng.uniform([-np.pi, -2.9], [np.pi, 2.9])
        mujoco.mj_kinematics(env.model, env.data)
        images.append(env._look().ravel() / 255.0), tips.append(env.data.xpos[env._tip, :2].copy())
    x, y = np.stack(images), np.stack(tips)
    nearest = [np.square(x[:3800] - image).sum(axis=1).argmin() for image in x[3800:]]
    error = np.linalg.norm(y[:3800][nearest] - y[3800:], axis=1).mean()
    assert error < 0.015 < 0.1 < np.linalg.norm(y[3800:], axis=1).mean()


def test_goals_are_on_the_ring_and_within_reach():
    env = make_env("visual-reacher")
    radius = np.linalg.norm(env.tasks, axis=1)
    assert radius.min() >= 0.08
    assert radius.max() <= 0.20
    env.reset_task(0)
    hit = {
        "env_infos": {
            "achieved": np.float32([env.tasks[0], env.tasks[0] + [0.029, 0], env.tasks[0] + [0.031, 0]])
        }
    }
    np.testing.assert_array_equal(env.compute_rewards(hit, [0]).rewards[0], [0, 0, -1])
    assert not env.compute_rewards(hit, [0]).terminals.any()


def test_features_scale_or_replace_the_images_and_nothing_else():
    rows = torch.rand(5, 3, 20) * 255
    scaled = ScaledPixels(20, [slice(0, 8), slice(12, 20)])(rows)
    torch.testing.assert_close(scaled[..., 8:12], rows[..., 8:12])
    torch.testing.assert_close(scaled[..., :8], rows[..., :8] / 255)
    torch.testing.assert_close(scaled[..., 12:], rows[..., 12:] / 255)
    conv = ConvPixels(20, [slice(0, 8), slice(12, 20)], (2, 2, 2))
    out = conv(rows)
    assert out.shape == (5, 3, conv.output_size) == (5, 3, 4 + 2 * CONV_FEATURES)
    torch.testing.assert_close(out[..., CONV_FEATURES:-CONV_FEATURES], rows[..., 8:12])
    moved = rows.clone()
    moved[..., 0] += 9.0
    assert not torch.equal(conv(moved)[..., :CONV_FEATURES], out[..., :CONV_FEATURES])
    torch.testing.assert_close(conv(moved)[..., CONV_FEATURES:], out[..., CONV_FEATURES:])
    with pytest.raises(ValueError, match="pixel_encoder must be one of"):
        pixel_features(4, [], "resnet", (1, 2, 2))


@pytest.mark.parametrize("encoder", ["flat", "conv"])
@pytest.mark.parametrize("next_obs", [False, True])
def test_a_run_keeps_bytes_in_every_buffer(make_algorithm, encoder, next_obs):
    from rlkit_hfr import attach

    env = make_env("visual-reacher", n_tasks=7, seed=0)
    blank = make_algorithm(env=env, use_next_obs_in_context=next_obs)
    nets = build_nets(512, 2, 3, 8, blank.config, env.image_shape, encoder)
    algorithm = PEARLSoftActorCritic(env, range(5), [5, 6], nets, blank.config, callbacks=(), log_dir=None)
    relabeling = attach(algorithm, "hfr", relabel_fraction=1.0, seed=0, num_initial_states=4)
    algorithm.train()
    assert relabeling.statistics["relabel/paths relabeled"] > 0
    for buffer in (algorithm.replay_buffer, algorithm.enc_replay_buffer):
        for part in buffer.task_buffers.values():
            assert part._observations.dtype == part._next_obs.dtype == np.uint8
    assert all(
        part.relabeled is None or part.relabeled._observations.dtype == np.uint8
        for part in relabeling._context._parts.values()
    )
