"""The wrapper that records a cheetah's forward speed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from rlkit_hfr.rewards.recording import RecordVelocity


class Runner:
    """Moves along x by its action."""

    tasks, dt = [{"velocity": 1.0}, {"velocity": 3.0}], 0.5

    def __init__(self):
        self.data = SimpleNamespace(qpos=np.zeros(2))

    def step(self, action):
        self.data.qpos[0] += action
        return self.data.qpos.copy(), 0.0, False, {"reward_ctrl": -0.25}


def test_the_speed_is_recorded_and_pays_every_task():
    env = RecordVelocity(Runner())
    infos = [env.step(action)[3] for action in (1.0, -0.5)]
    assert [info["forward_vel"] for info in infos] == [2.0, -1.0]
    result = env.compute_rewards({"env_infos": infos}, [1, 0])
    assert result.rewards.tolist() == [[-1.25, -4.25], [-1.25, -2.25]]
    assert result.rewards.dtype == np.float32
    assert not result.terminals.any()


def test_what_records_no_position_is_refused():
    env = Runner()
    del env.data
    with pytest.raises(ValueError, match="got Runner without sim or data"):
        RecordVelocity(env)
