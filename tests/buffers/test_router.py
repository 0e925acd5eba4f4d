"""One decision per path: pairing, fraction, cold start, moved and copied paths, loose transitions."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest
import torch

from rlkit_hfr.buffers.router import RelabelingRouter
from rlkit_hfr.buffers.statistics import RelabelStatistics
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.relabelers.relabeler import RelabelDecision, Relabeler
from rlkit_hfr.rewards.hindsight import Hindsight
from rlkit_hfr.rewards.task_rewards import TaskRewards
from rlkit_hfr.scoring.scorer import Scorer
from rlkit_hfr.scoring.task_memory import TaskMemory

# The fake rewards below are not what the random paths recorded.
pytestmark = pytest.mark.filterwarnings("ignore:hindsight rewards do not give back")

TASKS = [10, 20, 30]  # ids need not be 0..n-1


class Always(Relabeler):
    name = "always"

    def __init__(self, tasks):
        self.tasks, self.asked = tasks, []

    def decide(self, paths, source_tasks, scorer, rng):
        self.asked.append((list(paths), list(source_tasks)))
        unknown = np.zeros(3)
        return [RelabelDecision(self.tasks, np.full(3, 1 / 3), unknown, unknown) for _ in paths]


class NoNetworks:
    sparse_rewards = False
    layout = ContextLayout(obs_dim=2, action_dim=2)

    updates = 0
    device = torch.device("cpu")

    def isolated(self):
        return contextlib.nullcontext()

    def version(self):
        return self.updates

    def has_transitions(self, tasks):
        return True


def _rewards(path, tasks):
    shape = (len(tasks), len(path["rewards"]))
    terminals = np.zeros(shape, bool)
    terminals[:, -1] = True
    return TaskRewards(np.broadcast_to(np.array(tasks, np.float32)[:, None], shape), terminals)


@pytest.fixture
def make_router():
    def build(tasks=20, warm=True, hindsight=None, **options):
        memory = TaskMemory(TASKS, 5, 5, np.random.default_rng(0))
        hindsight = hindsight or Hindsight(_rewards)
        scorer = Scorer(NoNetworks(), memory, hindsight, TASKS, np.random.SeedSequence(0))
        if warm:
            for task in TASKS:
                memory.add(task, np.zeros((1, 5), np.float32), np.zeros(2))
        options = {"relabel_fraction": 1.0, **options}
        return RelabelingRouter(
            Always(tasks), scorer, RelabelStatistics(TASKS), np.random.default_rng(0), **options
        )

    return build


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


def test_statistics_count_what_happened(make_router, make_path):
    router = make_router(tasks=20)
    router.routes("rl", 10, [make_path(seed=1)])
    router.routes("rl", 20, [make_path(seed=2)])
    columns = router.statistics.report()
    # asking twice, as hosts do that evaluate twice, loses nothing
    np.testing.assert_equal(router.statistics.report(), columns)
    assert columns["relabel/paths seen"] == columns["relabel/paths relabeled"] == 2
    assert columns["relabel/share that changed task"] == 0.5
    assert columns["relabel/effective tasks"] == pytest.approx(3.0)
    assert columns["relabel/probability of own task"] == pytest.approx(1 / 3)
    router.relabel_fraction = 0.0
    router.routes("rl", 10, [make_path(seed=3)])
    later = router.statistics.report()
    assert list(later) == list(columns)
    assert later["relabel/paths seen"] == 1
    assert np.isnan(later["relabel/utility Mean"])


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


def test_a_path_given_twice_in_one_call_is_decided_once_for_both_buffers(make_router, make_path):
    router, path = make_router(), make_path()
    first = router.routes("rl", 10, [path, path])
    second = router.routes("encoder", 10, [path, path])
    assert len({id(route) for route in first + second}) == 1


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
    given = _rewards(path, tasks)
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


def test_diagnostics_tell_from_where_to_where(make_router, make_path):
    router = make_router(tasks=np.array([20, 20, 30, 10]))
    path = make_path(4)
    path["rewards"][1] = 20.0  # what task 20 pays as well
    router.routes("rl", 10, [path])
    arrays = router.statistics.arrays()
    np.testing.assert_array_equal(arrays["tasks"], TASKS)
    np.testing.assert_allclose(arrays["source_to_new"], [[0.25, 0.5, 0.25], [0, 0, 0], [0, 0, 0]])
    assert arrays["utility"].shape == arrays["log_partition"].shape == (3,)
    assert router.statistics.columns()["relabel/share of moved steps with another reward"] == pytest.approx(
        2 / 3
    )


def test_rewarded_steps_are_counted_under_the_task_that_a_path_is_stored_for(make_router, make_path):
    router = make_router(tasks=20)
    near = {10: [0.5, 2.0, 2.0, 2.0], 20: [0.5, 0.5, 0.5, 2.0]}  # distances in tolerances
    router.scorer._hindsight = Hindsight(
        _rewards, lambda path, tasks: np.array([near[task] for task in tasks])
    )
    router.routes("rl", 10, [make_path(4)])
    columns = router.statistics.columns()
    assert columns["relabel/rewarded share as collected"] == 0.25
    assert columns["relabel/rewarded share as stored"] == 0.75


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


def test_the_context_of_a_visit_is_what_the_host_adds_to_its_encoder_buffer(make_router, make_path):
    router = make_router()
    for_both, for_rl = make_path(seed=1, marker=1), make_path(seed=2, marker=2)
    router.routes("rl", 10, [for_both, for_rl])
    router.routes("encoder", 10, [for_both])
    assert {float(rows[:, 0].max()) for rows in router.scorer.memory.contexts(10, 20)} == {1.0}


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
