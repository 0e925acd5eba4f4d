"""Candidates beyond the training tasks: drawn anew for every path, and where their paths go."""

from __future__ import annotations

import numpy as np
import pytest

from env_wrappers import make_env
from rlkit_hfr import VectorRewards, attach
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.relabelers import make_relabeler
from rlkit_hfr.rewards.resolve import resolve_hindsight
from rlkit_hfr.scoring.scorer import Scorer

WEST, EAST = 0, 1
VECTORS = np.array([[0.0, 0.0], [10.0, 0.0]])


class DenseContext:
    sparse_rewards, layout, discount = False, ContextLayout(2, 2), 0.5


def _near(path, vectors):
    """A path is paid minus its distance to the task's vector, at every step."""
    return -np.abs(path["actions"][None, :, 0] - vectors[:, :1])


def _scorer(drawn):
    """drawn: lists of first numbers of the vectors that the family gives, one list after the other."""
    queue = list(drawn)

    def sample(number, rng):
        values = queue.pop(0)
        assert len(values) == number
        return np.array([[value, 0.0] for value in values])

    rewards = VectorRewards(_near, VECTORS, sample)
    hindsight = resolve_hindsight(None, [WEST, EAST], rewards, 0)
    return Scorer(DenseContext(), None, hindsight, [WEST, EAST], np.random.SeedSequence(0)), queue


def _path(make_path, value):
    return make_path(2, actions=np.full((2, 2), value, np.float32))


def _decide(scorer, paths, sources, relabeler=None, **options):
    relabeler = relabeler or make_relabeler("virtual", **options)
    return relabeler.decide(paths, sources, scorer, np.random.default_rng(0))


@pytest.mark.parametrize(("fits_none", "expected"), [("nearest", [EAST, WEST]), ("stay", [WEST, EAST])])
def test_a_path_that_fits_a_virtual_task_best_goes_to_the_nearest_training_task(
    make_path, fits_none, expected
):
    scorer, left = _scorer([[7.0, 40.0], [-3.0, 40.0]])  # drawn anew for each path
    paths = [_path(make_path, 7.5), _path(make_path, -4.0)]
    decisions = _decide(scorer, paths, [WEST, EAST], num_virtual=2, ranking="return", fits_none=fits_none)
    assert [d.tasks for d in decisions] == expected
    assert left == []


def test_a_path_that_fits_a_training_task_best_goes_there_whatever_is_drawn(make_path):
    scorer, _ = _scorer([[5.0, 40.0]])
    (decision,) = _decide(scorer, [_path(make_path, 9.0)], [WEST], num_virtual=2, ranking="return")
    assert decision.tasks == EAST
    np.testing.assert_allclose(decision.utilities, [-9.0 * 1.5, -1.0 * 1.5])  # discount 0.5, two steps
    scorer, _ = _scorer([[10.0, 10.0]])  # a virtual task that equals it
    (decision,) = _decide(
        scorer, [_path(make_path, 10.0)], [WEST], num_virtual=2, ranking="return", fits_none="stay"
    )
    assert decision.tasks == EAST


def test_by_percentile_only_tasks_where_few_recent_paths_are_better_count(make_path):
    """Return alone sends the path to 0.5, its nearest; but there two recent paths beat it."""
    recent = [_path(make_path, value) for value in (0.5, 0.6, -20.0)]
    for ranking, expected in (("return", 1.0 / 3.0), ("air", 1.0)):
        relabeler = make_relabeler("virtual", num_virtual=1, ranking=ranking, num_recent=3)
        scorer, _ = _scorer([[0.5]])
        relabeler.observe([_path(make_path, 0.9), *recent], scorer)  # three are remembered
        (decision,) = _decide(scorer, [_path(make_path, 1.5)], [WEST], relabeler)
        assert decision.tasks == (WEST if ranking == "return" else EAST)
        if ranking == "air":
            np.testing.assert_allclose(decision.utilities, [1.0 / 3.0, expected])
    restored = make_relabeler("virtual", num_virtual=1, num_recent=3)
    restored.load_state_dict(relabeler.state_dict())
    scorer, _ = _scorer([[0.5]])
    assert _decide(scorer, [_path(make_path, 1.5)], [WEST], restored)[0].tasks == EAST


def test_distances_are_in_units_of_how_much_the_tasks_differ(make_path):
    vectors = np.array([[0.0, 0.0], [1.0, 100.0]])
    rewards = VectorRewards(
        lambda path, v: np.where(v[:, :1] == 0.9, 1.0, 0.0) * np.ones((1, 2)),
        vectors,
        lambda n, rng: np.array([[0.9, 30.0]]),
    )
    scorer = Scorer(
        DenseContext(), None, resolve_hindsight(None, [0, 1], rewards, 0), [0, 1], np.random.SeedSequence(0)
    )
    # 30 of 100 and 0.9 of 1: nearer to the second, although 70 is more than 30
    (decision,) = _decide(scorer, [_path(make_path, 0.0)], [0], num_virtual=1, ranking="return")
    assert decision.tasks == 1


@pytest.mark.parametrize(
    "name",
    ["point-robot", "sparse-point-robot", "four-corners", "sawyer-push", "sawyer-reach", "cheetah-vel"],
)
def test_families_draw_tasks_like_their_own_and_pay_them_by_vector(name):
    env = make_env(name, seed=0)
    drawn = env.sample_tasks(300, np.random.default_rng(0))
    assert drawn.shape == (300, env.tasks.shape[1])
    span = np.ptp(env.tasks, axis=0)
    assert (drawn.min(axis=0) > env.tasks.min(axis=0) - 0.2 * span).all()
    assert (drawn.max(axis=0) < env.tasks.max(axis=0) + 0.2 * span).all()
    np.testing.assert_allclose(drawn.std(axis=0), env.tasks.std(axis=0), rtol=0.35)
    rng = np.random.default_rng(0)
    env.reset_task(1)
    path = {"env_infos": [env.step(rng.uniform(-1, 1, env.action_space.shape))[3] for _ in range(3)]}
    by_index = env.compute_rewards(path, [1, 0])
    by_vector = env.rewards_of_vectors(path, env.tasks[[1, 0]])
    for first, second in zip(by_index, by_vector, strict=True):
        np.testing.assert_array_equal(first, second)


def test_it_trains_on_what_the_environment_or_the_caller_gives_and_is_refused_without(make_algorithm):
    algorithm = make_algorithm("sparse-point-robot", sparse_rewards=True, num_iterations=1)
    rows = []
    algorithm.on_epoch_end = rows.append
    attach(algorithm, "virtual", relabel_fraction=1.0, seed=0)
    algorithm.train()
    assert rows[0]["relabel/share that changed task"] > 0.0
    with pytest.raises(ValueError, match=r"needs rewards of task vectors.*VectorRewards"):
        attach(make_algorithm("point-robot"), "virtual", rewards=lambda path, tasks: None)
    with pytest.raises(ValueError, match="needs rewards of task vectors"):
        attach(make_algorithm("point-robot"), "virtual", rewards="learned")


def test_options_are_checked():
    for options in ({"num_virtual": 0}, {"ranking": "x"}, {"fits_none": "go"}, {"num_recent": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            make_relabeler("virtual", **options)


def test_to_equal_a_recent_path_is_as_good_as_to_beat_it(make_path):
    relabeler = make_relabeler("virtual", num_virtual=1, ranking="air", num_recent=2)
    scorer, _ = _scorer([[3.0]])
    relabeler.observe([_path(make_path, 0.5), _path(make_path, -20.0)], scorer)
    (decision,) = _decide(scorer, [_path(make_path, 0.5)], [WEST], relabeler)
    np.testing.assert_array_equal(decision.utilities, [1.0, 1.0])
