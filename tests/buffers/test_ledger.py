"""The ledger: both buffers get one decision on a path, and scoring is told what was stored."""

from __future__ import annotations

import numpy as np
import pytest
from three_tasks import TASKS, own_number

from rlkit_hfr.buffers.ledger import Route
from rlkit_hfr.rewards.hindsight import Hindsight

# What the three tasks pay is not what the random paths recorded.
pytestmark = pytest.mark.filterwarnings("ignore:hindsight rewards do not give back")


@pytest.mark.parametrize("order", [("rl", "encoder"), ("encoder", "rl")])
def test_both_buffers_get_the_same_decision_in_either_order(make_router, make_path, order):
    router = make_router()
    paths = [make_path(seed=i) for i in range(3)]
    first = router.routes(order[0], 10, paths)
    second = router.routes(order[1], 10, list(reversed(paths)))
    assert [a is b for a, b in zip(first, reversed(second))] == [True] * 3
    assert len(router.relabeler.asked) == 1
    assert router.ledger.is_settled


def test_pairing_is_by_identity_not_by_turn(make_router, make_path):
    router = make_router()
    rl_only, both = make_path(seed=1), make_path(seed=2)
    router.routes("rl", 10, [rl_only])
    router.routes("rl", 10, [both])
    (route,) = router.routes("encoder", 10, [both])
    assert route.path is both
    assert [len(paths) for paths, _ in router.relabeler.asked] == [1, 1]


def test_decisions_nobody_asks_for_are_dropped_with_the_iteration(make_router, make_path):
    router = make_router()
    router.routes("rl", 10, [make_path()])
    assert not router.ledger.is_settled
    router.scorer.networks.updates += 2
    router.routes("rl", 10, [])
    assert router.ledger.is_settled
    assert router.iteration == 1


def test_a_path_given_twice_in_one_call_is_decided_once_for_both_buffers(make_router, make_path):
    router, path = make_router(), make_path()
    first = router.routes("rl", 10, [path, path])
    second = router.routes("encoder", 10, [path, path])
    assert len({id(route) for route in first + second}) == 1


def test_stored_trajectories_are_remembered_for_the_partition(make_router, make_path):
    router = make_router()
    router.routes("rl", 10, [make_path()])
    sizes = {task: len(router.scorer.memory.all_trajectories(task)) for task in TASKS}
    assert sizes == {10: 1, 20: 2, 30: 1}  # moved to 20: it belongs to 20's data and not to 10's
    assert (router.scorer.memory.all_trajectories(20)[-1][:, 4] == 20.0).all()


def test_the_first_observation_of_what_is_stored_is_an_initial_state_of_its_task(make_router, make_path):
    router = make_router(tasks=30, warm=False)
    path = make_path(seed=3)
    router.routes("rl", 10, [path])  # nothing is relabeled yet: it is stored for 10
    memory = router.scorer.memory
    np.testing.assert_array_equal(memory.initial_obs(10, 1), path["observations"][:1])


def test_rewarded_steps_are_counted_under_the_task_that_a_path_is_stored_for(make_router, make_path):
    router = make_router(tasks=20)
    near = {10: [0.5, 2.0, 2.0, 2.0], 20: [0.5, 0.5, 0.5, 2.0]}  # distances in tolerances
    router.scorer._hindsight = Hindsight(
        own_number, lambda path, tasks: np.array([near[task] for task in tasks])
    )
    router.routes("rl", 10, [make_path(4)])
    columns = router.statistics.columns()
    assert columns["relabel/rewarded share as collected"] == 0.25
    assert columns["relabel/rewarded share as stored"] == 0.75


def test_the_context_of_a_visit_is_what_the_host_adds_to_its_encoder_buffer(make_router, make_path):
    router = make_router()
    for_both, for_rl = make_path(seed=1, marker=1), make_path(seed=2, marker=2)
    router.routes("rl", 10, [for_both, for_rl])
    router.routes("encoder", 10, [for_both])
    assert {float(rows[:, 0].max()) for rows in router.scorer.memory.contexts(10, 20)} == {1.0}


def test_a_route_is_served_to_each_buffer_and_then_forgotten(make_router, make_path):
    router = make_router(relabel_fraction=0.0)
    ledger, path = router.ledger, make_path()
    assert ledger.unknown([path, path]) == [path]
    ledger.enter(route := Route(path, path), 10, None)
    assert ledger.unknown([path]) == []
    assert ledger.serve("rl", [path]) == [route]
    assert ledger.serve("rl", [path]) == [route]  # one buffer that asks twice is not both
    assert not ledger.is_settled
    assert ledger.serve("encoder", [path]) == [route]
    assert ledger.is_settled
