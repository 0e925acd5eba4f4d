"""`attach` on algorithms that it does not know: both families at every seam, and the ways
in which their descendants differ.
"""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import standin_families
import standins
import torch

from rlkit_hfr import RELABELERS, RelabelDecision, Relabeler, attach
from rlkit_hfr.relabelers import relabeler_options

EVERY = sorted(standins.EVERY)


class SendTo(Relabeler):
    """Sends every path to one task."""

    name = "send-to"

    def __init__(self, task):
        self.task = task

    def decide(self, paths, source_tasks, scorer, rng):
        unknown = np.zeros(len(scorer.candidate_tasks))
        sure = np.eye(len(unknown))[scorer.candidate_tasks.index(self.task)]
        return [RelabelDecision(self.task, sure, unknown, unknown) for _ in paths]


class NeverHome(Relabeler):
    """Sends every path to the task after its own."""

    name = "never-home"

    def decide(self, paths, source_tasks, scorer, rng):
        tasks, unknown = scorer.candidate_tasks, np.zeros(len(scorer.candidate_tasks))
        places = [(tasks.index(task) + 1) % len(tasks) for task in source_tasks]
        return [RelabelDecision(tasks[k], np.eye(len(tasks))[k], unknown, unknown) for k in places]


def _run(name, attach_with=None, **options):
    algorithm = standins.EVERY[name]()
    relabeling = None if attach_with is None else attach(algorithm, attach_with, seed=1, **options)
    algorithm.train()
    rows = [
        {k: v for k, v in row.items() if not k.startswith("relabel/")} for row in standin_families.logger.rows
    ]
    weights = [
        p.detach().numpy() for net in [algorithm.agent, *algorithm.critics()] for p in net.parameters()
    ]
    state = (torch.get_rng_state().numpy(), np.random.get_state()[1], random.random())  # noqa: NPY002
    return algorithm, relabeling, (algorithm.trace, rows, weights, state[:2])


@pytest.mark.parametrize("name", EVERY)
def test_fraction_zero_is_bit_identical(name):
    _, _, expected = _run(name)
    standin_families.logger.__init__()
    for relabeler in ("hfr", "hipi", *([] if name == "OneBuffer" else ["hipi-sampling"])):
        _, _, actual = _run(name, relabeler, relabel_fraction=0.0)
        np.testing.assert_equal(actual, expected)
        standin_families.logger.__init__()


def test_goal_relabelers_are_refused_without_goals():
    with pytest.raises(ValueError, match="goal_distances"):
        attach(standin_families.OysterLike(), "final-state")


@pytest.mark.parametrize("relabeler", [name for name, cls in RELABELERS.items() if not cls.needs_goals])
@pytest.mark.parametrize("name", EVERY)
def test_every_relabeler_trains_on_every_host(name, relabeler):
    if relabeler.endswith("-sampling") and name == "OneBuffer":
        with pytest.raises(ValueError, match="one buffer in both roles.*needs two"):
            attach(standins.EVERY[name](), relabeler)
        return
    options = {"temperature": 2.0} if "temperature" in relabeler_options(RELABELERS[relabeler]) else {}
    _run(name, relabeler, relabel_fraction=1.0, **options)
    rows = standin_families.logger.rows
    assert len(rows) == 3
    assert len({tuple(row) for row in rows}) == 1
    key = "sampled transitions" if relabeler.endswith("-sampling") else "paths"
    assert rows[-1][f"relabel/{key} relabeled"] > 0
    assert "Eval" in rows[0]
    if relabeler not in ("none", "random"):
        assert np.isfinite(rows[-1]["relabel/utility Mean"])


def _is_task(env, task, rows):
    """Whether context rows (B, 5) have the rewards of `task`, given where the point robot goes from there."""
    after = (rows[:, :2] + 0.1 * np.clip(rows[:, 2:4], -1, 1)).astype(np.float32)
    rewards, _, *sparse = env.compute_rewards({"env_infos": {"achieved": after}}, [task])
    return np.isclose(rows[:, 4], (sparse[0] if sparse else rewards)[0], atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_one_task_gets_originals_and_many_get_relabeled_data(name):
    algorithm = standins.EVERY[name]()
    target, source = algorithm.task_ids[1], algorithm.task_ids[0]
    attach(algorithm, SendTo(target), relabel_fraction=1.0)
    algorithm.embedding_batch_size = 200
    for task in algorithm.task_ids:
        algorithm.add(task, [algorithm.rollout(task)], True)
    algorithm.update()
    algorithm.trace.clear()
    algorithm.visit(source)
    # Collection read what was collected for the source, with its rewards.
    seen = np.concatenate(algorithm.trace)
    own = np.concatenate([path["observations"] for path in algorithm.collected[source]])
    for rows in seen:
        assert _is_task(algorithm.env, source, rows).all()
        assert all((np.abs(own - row[:2]).sum(axis=1) < 1e-6).any() for row in rows)
    # Training reads the source's paths under the target, with the target's rewards.
    context, _ = algorithm.training_batch([target])
    rows = context[0].numpy()
    assert _is_task(algorithm.env, target, rows).all()
    moved = [any(np.abs(own - row[:2]).sum(axis=1) < 1e-6) for row in rows]
    assert np.mean(moved) > 0.5
    # A request for one task still reads originals alone.
    rows = algorithm.collection_context(target)[0].numpy()
    theirs = np.concatenate([path["observations"] for path in algorithm.collected[target]])
    assert all((np.abs(theirs - row[:2]).sum(axis=1) < 1e-6).any() for row in rows)


@pytest.mark.parametrize("name", EVERY)
def test_a_relabeler_that_never_stays_empties_no_buffer(name):
    algorithm = standins.EVERY[name]()
    attach(algorithm, NeverHome(), relabel_fraction=1.0)
    algorithm.train(30)
    assert all(len(algorithm.training_batch([task])[1][0]["rewards"]) == 8 for task in algorithm.task_ids)
    assert np.isfinite([loss for loss in algorithm.trace if isinstance(loss, float)]).all()


@pytest.mark.parametrize("name", EVERY)
def test_both_buffers_agree_and_the_totals_add_up(name):
    algorithm = standins.EVERY[name]()
    if name == "OneBuffer":
        pytest.skip("one object in both roles has one total")
    relabeling = attach(algorithm, "random", relabel_fraction=0.5, seed=0)
    seen = []
    routes = relabeling._router.routes

    def watched(role, task, paths):
        out = routes(role, task, paths)
        seen.extend((role, id(path), route) for path, route in zip(paths, out))
        return out

    relabeling._router.routes = watched
    before = []
    rollout = algorithm.rollout

    def remembered(task):
        path = rollout(task)
        before.append((path, copy.deepcopy(path)))
        return path

    algorithm.rollout = remembered
    algorithm.train(3)
    by_path = {}
    for role, key, route in seen:
        by_path.setdefault(key, {}).setdefault(role, []).append(route)
    for roles in by_path.values():
        assert all(len(routes) == 1 for routes in roles.values())
        assert len({id(route) for routes in roles.values() for route in routes}) == 1
    in_rl = sum(len(route.path["rewards"]) for role, _, route in seen if role == "rl")
    assert (
        sum(buffer.num_steps_can_sample() for buffer in algorithm.replay_buffer.task_buffers.values())
        == in_rl
    )
    for path, copied in before:  # no path was edited
        np.testing.assert_equal(path, copied)


@pytest.mark.parametrize("name", EVERY)
def test_hosts_keep_their_own_data_as_without_relabeling(name):
    """Every row of the host's encoder buffer was collected for its task, after visits in whatever way."""
    algorithm = standins.EVERY[name]()
    attach(algorithm, NeverHome(), relabel_fraction=0.7, seed=0)
    algorithm.train(3)
    for task, buffer in algorithm.enc_replay_buffer.task_buffers.items():
        own = np.concatenate([path["next_observations"] for path in algorithm.collected[task]])
        held = buffer._rows["o2"][: buffer._size]
        assert all((np.abs(own - row).sum(axis=1) < 1e-9).any() for row in held)
        paths = algorithm.collected[task]
        if buffer._size and name not in ("OneSidedAdds", "OneBuffer"):
            last = [p for p in paths if (np.abs(held - p["next_observations"][0]).sum(axis=1) < 1e-9).any()]
            assert sum(len(p["rewards"]) for p in last) == buffer._size


def test_attaching_to_a_run_that_has_data_is_said():
    algorithm = standin_families.OysterLike()
    algorithm.train(1)
    with pytest.warns(UserWarning, match="hold data already"):
        attach(algorithm, "hfr")


def test_a_generator_of_paths_loses_none():
    algorithm = standin_families.OysterLike()
    attach(algorithm, "random", relabel_fraction=0.0)
    algorithm.replay_buffer.add_paths(0, (algorithm.rollout(0) for _ in range(2)))
    algorithm.enc_replay_buffer.add_paths(task=0, paths=[algorithm.rollout(0)])
    assert algorithm.replay_buffer.num_steps_can_sample(0) == 12
    assert algorithm.enc_replay_buffer.num_steps_can_sample(0) == 6
