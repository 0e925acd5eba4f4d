"""One decision per path: fraction, cold start, moved and copied paths, loose transitions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from three_tasks import TASKS, own_number

from rlkit_hfr.rewards.hindsight import Hindsight

# What the three tasks pay is not what the random paths recorded.
pytestmark = pytest.mark.filterwarnings("ignore:hindsight rewards do not give back")


def test_a_moved_path_has_the_new_tasks_rewards_and_the_old_path_is_untouched(make_router, make_path):
    path = make_path()
    before = {key: np.copy(value) for key, value in path.items() if isinstance(value, np.ndarray)}
    (route,) = make_router().routes("rl", 10, [path])
    assert route.kept is None
    ((task, new),) = route.relabeled
    assert task == 20
    assert (new["rewards"] == 20.0).all()
    assert new["rewards"].shape == (5, 1)
    assert new["terminals"][:, 0].tolist() == [False] * 4 + [True]
    assert new["observations"] is path["observations"]
    for key, value in before.items():
        np.testing.assert_array_equal(path[key], value)


def test_a_relabeler_is_told_of_every_path_after_the_decisions_on_it(make_router, make_path):
    router = make_router(relabel_fraction=0.0)
    told, relabeler = [], router.relabeler
    relabeler.observe = lambda paths, scorer: told.append((list(paths), len(relabeler.asked)))
    first, second = make_path(seed=1), make_path(seed=2)
    router.routes("rl", 10, [first])
    router.relabel_fraction = 1.0
    router.routes("rl", 10, [second])
    assert [([id(path) for path in paths], asked) for paths, asked in told] == [
        ([id(first)], 0),
        ([id(second)], 1),
    ]


def test_a_relabelers_own_state_is_in_the_routers(make_router):
    first, second = make_router(), make_router()
    given = []
    first.relabeler.state_dict = lambda: {"recent": [7]}
    second.relabeler.load_state_dict = given.append
    second.load_state_dict(first.state_dict())
    assert given == [{"recent": [7]}]


def test_keep_original_copies(make_router, make_path):
    path = make_path()
    (route,) = make_router(keep_original=True).routes("rl", 10, [path])
    assert route.kept is path
    assert [task for task, _ in route.relabeled] == [20]


def test_a_path_that_is_sent_home_is_not_stored_twice(make_router, make_path):
    path = make_path()
    (route,) = make_router(tasks=10, keep_original=True).routes("rl", 10, [path])
    assert route.kept is path
    assert route.relabeled == ()


def test_nothing_is_relabeled_before_every_task_has_a_path(make_router, make_path):
    router = make_router(warm=False)
    for task in TASKS:
        pool = [make_path(seed=task), make_path(seed=task + 1)]
        assert all(
            route.kept is route.path and not route.relabeled for route in router.routes("rl", task, pool)
        )
        assert all(not route.relabeled for route in router.routes("encoder", task, pool))
    assert not router.relabeler.asked
    (route,) = router.routes("rl", 10, [make_path()])
    assert route.relabeled


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_the_fraction_is_a_coin_per_path(make_router, make_path, fraction):
    router = make_router(relabel_fraction=fraction)
    routes = router.routes("rl", 10, [make_path(seed=i) for i in range(500)])
    assert np.mean([bool(route.relabeled) for route in routes]) == pytest.approx(fraction, abs=0.06)
    if fraction == 0.0:
        assert not router.relabeler.asked


def test_transitions_go_their_own_ways_without_losing_one(make_router, make_path):
    path = make_path(length=6, env_infos=[{"i": i, "sparse_reward": -1.0} for i in range(6)])
    router = make_router(tasks=np.array([10, 20, 30, 20, 10, 20]))
    (route,) = router.routes("rl", 10, [path])
    assert [info["i"] for info in route.kept["env_infos"]] == [0, 4]
    np.testing.assert_array_equal(route.kept["rewards"], path["rewards"][[0, 4]])
    moved = {task: [info["i"] for info in new["env_infos"]] for task, new in route.relabeled}
    assert moved == {20: [1, 3, 5], 30: [2]}
    for task, new in route.relabeled:
        assert (new["rewards"] == task).all()
        np.testing.assert_array_equal(new["observations"], path["observations"][moved[task]])
    assert len(router.scorer.memory.all_trajectories(20)) == 1  # loose transitions are no trajectories


@pytest.mark.parametrize("fraction", [-0.1, 1.1, "half"])
def test_bad_fraction_is_refused(make_router, fraction):
    with pytest.raises(ValueError, match="between 0 and 1"):
        make_router(relabel_fraction=fraction)


def test_paths_of_the_task_that_completes_the_pool_are_still_the_pool(make_router, make_path):
    router = make_router(warm=False)
    for task in TASKS:
        router.routes("rl", task, [make_path(seed=task)])
    # a host that adds its pool path by path
    assert not router.routes("rl", TASKS[-1], [make_path(seed=1)])[0].relabeled
    assert router.routes("rl", TASKS[0], [make_path(seed=2)])[0].relabeled
    assert router.routes("rl", TASKS[-1], [make_path(seed=3)])[0].relabeled


def test_rewards_that_do_not_come_back_are_said_once(make_router, make_path):
    honest, router = make_router(), make_router()
    with pytest.warns(UserWarning, match="step 0 was paid 3, hindsight says 10"):
        router.routes("rl", 10, [make_path(rewards=np.full((5, 1), 3.0, np.float32))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        honest.routes("rl", 10, [make_path(rewards=np.full((5, 1), 10.0, np.float32))])
        router.routes("rl", 10, [make_path(seed=5)])


def _ends_under_20(path, tasks):
    """Task 20 ends an episode at step 2, and at step 3 again."""
    given = own_number(path, tasks)
    given.terminals[[task == 20 for task in tasks], 2:4] = True
    return given


@pytest.mark.parametrize(("after_terminal", "steps"), [("drop", 3), ("keep", 6)])
def test_a_moved_path_ends_where_an_episode_of_its_new_task_does(
    make_router, make_path, after_terminal, steps
):
    router = make_router(tasks=(20, 30), hindsight=Hindsight(_ends_under_20, after_terminal=after_terminal))
    router.scorer.networks.in_order = True  # and it is a sequence still
    path = make_path(6)
    for role in ("rl", "encoder"):
        (route,) = router.routes(role, 10, [path])
        (of_20, of_30) = (new for _, new in route.relabeled)
        np.testing.assert_array_equal(of_20["observations"], path["observations"][:steps])
        assert of_20["terminals"][2] and len(of_20["rewards"]) == len(of_20["terminals"]) == steps
        assert len(of_30["rewards"]) == len(path["rewards"]) == 6


def test_loose_steps_do_not_end_with_an_episode(make_router, make_path):
    tasks = np.array([10, 20, 10, 10, 10, 20])
    router = make_router(tasks=tasks, hindsight=Hindsight(_ends_under_20, after_terminal="drop"))
    path = make_path(6)
    (route,) = router.routes("rl", 10, [path])
    np.testing.assert_array_equal(route.relabeled[0][1]["observations"], path["observations"][tasks == 20])


def test_several_tasks_get_the_whole_path(make_router, make_path):
    router = make_router(tasks=(20, 30))
    (route,) = router.routes("rl", 10, [make_path(6)])
    assert route.kept is None
    assert [task for task, _ in route.relabeled] == [20, 30]
    for task, new in route.relabeled:
        assert (new["rewards"] == task).all()
        assert len(new["rewards"]) == 6
    (route,) = make_router(tasks=(30, 10)).routes("rl", 10, [path := make_path(6)])
    assert route.kept is path  # its own task is one of them
    assert [task for task, _ in route.relabeled] == [30]


@pytest.mark.parametrize(
    ("into", "moved"), [("both", {"rl", "encoder"}), ("rl", {"rl"}), ("context", {"encoder"})]
)
def test_relabeled_paths_go_into_the_buffers_that_were_asked_for(make_router, make_path, into, moved):
    router = make_router(relabel_into=into)
    path = make_path()
    for role in ("rl", "encoder"):
        (route,) = router.routes(role, 10, [path])
        assert bool(route.relabeled) == (role in moved)
        assert (route.kept is path) == (role not in moved)
    with pytest.raises(ValueError, match="both, rl, context"):
        make_router(relabel_into="encoder")


def test_a_relabeler_is_told_of_each_iteration(make_router, make_path):
    router, told = make_router(), []
    router.relabeler.begin_iteration = told.append
    router.routes("rl", 10, [make_path()])
    assert told == []
    for _ in range(2):
        router.scorer.networks.updates += 1
        router.routes("rl", 10, [make_path()])
        router.routes("rl", 20, [make_path(seed=1)])
    assert told == [1, 2]


def test_an_encoder_that_reads_in_order_gets_no_loose_steps(make_router, make_path):
    for tasks, moved in ((np.array([10, 20, 20, 10, 30]), False), (20, True)):
        router = make_router(tasks=tasks)
        router.scorer.networks.in_order = True
        path = make_path()
        (rl,) = router.routes("rl", 10, [path])
        (encoder,) = router.routes("encoder", 10, [path])
        assert rl.relabeled
        assert bool(encoder.relabeled) == moved
        assert (encoder.kept is path) != moved


@pytest.mark.parametrize(
    ("paid", "warned"), [(10.0105, False), (9.9895, False), (10.015, True), (9.985, True)]
)
def test_rewards_come_back_within_a_thousandth(make_router, make_path, paid, warned):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        make_router().routes("rl", 10, [make_path(rewards=np.full((5, 1), paid))])
    assert bool(said) == warned


def test_after_a_checkpoint_without_recent_paths_relabeling_waits_for_one(make_router, make_path):
    """log Z needs some, and a checkpoint leaves out those with infos that it can't hold."""
    router, twin = make_router(), make_router()
    router.routes("rl", 10, [make_path(4, seed=0)])
    assert router.statistics.columns()["relabel/paths relabeled"] == 1
    state = router.state_dict()
    state["scorer"]["memory"]["recent"] = {task: [] for task in (10, 20, 30)}
    twin.load_state_dict(state)
    for seed, relabeled in ((1, 0), (2, 1)):
        twin.routes("rl", 20 if seed == 1 else 10, [make_path(4, seed=seed)])
        assert twin.statistics.columns()["relabel/paths relabeled"] == relabeled
