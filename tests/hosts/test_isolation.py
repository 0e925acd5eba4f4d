"""Scoring leaves no trace in the host, its modules or any generator."""

from __future__ import annotations

import copy
import random
import types

import numpy as np
import pytest
import standin_families
import standins
import torch

from rlkit_hfr import attach
from rlkit_hfr.hosts.isolation import borrowed_generators, isolated

EVERY = sorted(standins.EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_scoring_leaves_no_trace(name):
    algorithm = standins.EVERY[name]()
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    relabeling = attach(algorithm, "hfr", relabel_fraction=1.0, seed=0)
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    path = algorithm.rollout(algorithm.task_ids[0])

    def state():
        agent = algorithm.agent
        belief = {key: value.detach().numpy() for key, value in vars(agent).items() if torch.is_tensor(value)}
        modes = [module.training for net in [agent, *algorithm.critics()] for module in net.modules()]
        numpy_state = np.random.get_state()[1:3]  # noqa: NPY002
        return copy.deepcopy((torch.get_rng_state().numpy(), numpy_state, random.getstate(), belief, modes))

    before = state()
    relabeling._router.routes("rl", algorithm.task_ids[0], [path])
    np.testing.assert_equal(state(), before)
    assert relabeling.statistics["relabel/paths relabeled"] > 0


@pytest.mark.skipif(not hasattr(torch.cuda, "_lazy_seed_tracker"), reason="torch keeps no such list here")
def test_attach_leaves_no_seed_behind_for_other_devices():
    algorithm = standin_families.OysterLike()
    torch.manual_seed(123)
    attach(algorithm, "hfr")
    pending = [
        entry[0].__closure__[0].cell_contents
        for entry in [torch.cuda._lazy_seed_tracker.manual_seed_all_cb]
        if entry
    ]
    assert pending == [123]


def test_objects_that_hold_generators_draw_from_the_borrowed_one():
    holder = types.SimpleNamespace(new=np.random.default_rng(1), old=np.random.RandomState(1))
    own, expected = dict(vars(holder)), np.random.default_rng(5)
    seed = int(expected.integers(2**32))
    with borrowed_generators([holder], np.random.default_rng(5)):
        assert holder.old.randint(10**6) == np.random.RandomState(seed).randint(10**6)
        assert holder.new.random() == expected.random()
    assert vars(holder) == own
    assert holder.new.random() == np.random.default_rng(1).random()


class _Stateful(torch.nn.Module):
    """Keeps what it has seen in a buffer and in an attribute, as oyster's recurrent encoder keeps its
    hidden state."""

    def __init__(self):
        super().__init__()
        self.register_buffer("hidden", torch.zeros(1))
        self.calls = 0

    def forward(self, x):
        self.hidden = self.hidden + x.sum()
        self.calls += 1
        self.seen = x
        return self.hidden


def test_what_modules_keep_between_calls_is_put_back():
    net = torch.nn.Sequential(torch.nn.Linear(1, 1), _Stateful())
    net(torch.ones(1, 1))
    before = net[1].hidden, net[1].calls, net[1].seen
    agent = types.SimpleNamespace(z=1)
    with isolated([net], agent, seed=0):
        agent.z = 2
        net(torch.full((3, 1), 5.0))
        net[1].more = 1
        assert net[1].calls == 2
    assert all(now is then for now, then in zip((net[1].hidden, net[1].calls, net[1].seen), before))
    assert "hidden" in net[1].state_dict()
    assert not hasattr(net[1], "more")
    assert agent.z == 1
    assert net.training
