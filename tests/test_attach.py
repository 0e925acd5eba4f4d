"""`attach` on a whole algorithm: it changes nothing it should not, and it changes what it should."""

from __future__ import annotations

import copy
import random
import warnings

import numpy as np
import pytest
import torch

import rlkit_hfr
from rlkit_hfr import RELABELERS, VectorRewards, attach
from rlkit_hfr.pearl.logger import logger
from rlkit_hfr.replay_buffer import MultiTaskReplayBuffer


def _rows(algorithm):
    rows = []
    algorithm.on_epoch_end = rows.append
    algorithm.train()
    return rows


def _shared(rows):
    return [
        {k: v for k, v in row.items() if "Time" not in k and not k.startswith("relabel/")} for row in rows
    ]


@pytest.fixture(params=["four-corners", "sparse-point-robot"])
def plain_run(request, make_algorithm):
    """An environment, its options and the rows of a run that never heard of relabeling."""
    options = dict(
        sparse_rewards=request.param.startswith("sparse"),
        use_next_obs_in_context=request.param == "four-corners",
    )
    return request.param, options, _shared(_rows(make_algorithm(request.param, **options)))


@pytest.mark.parametrize("name", RELABELERS)
def test_fraction_zero_is_bit_identical_to_never_attaching(plain_run, make_algorithm, name):
    env_name, options, expected = plain_run
    algorithm = make_algorithm(env_name, **options)
    attach(algorithm, name, relabel_fraction=0.0, seed=3)
    np.testing.assert_equal(_shared(_rows(algorithm)), expected)


def test_none_is_bit_identical_at_any_fraction(plain_run, make_algorithm):
    env_name, options, expected = plain_run
    algorithm = make_algorithm(env_name, **options)
    attach(algorithm, None, relabel_fraction=1.0)
    np.testing.assert_equal(_shared(_rows(algorithm)), expected)


def test_attach_then_detach_gives_the_algorithm_back(plain_run, make_algorithm):
    env_name, options, expected = plain_run
    algorithm = make_algorithm(env_name, **options)
    before, classes = set(vars(algorithm)), (type(algorithm.replay_buffer), type(algorithm.enc_replay_buffer))
    buffers = vars(algorithm.replay_buffer).keys(), vars(algorithm.enc_replay_buffer).keys()
    relabeling = attach(algorithm, "hfr")
    relabeling.detach()
    relabeling.detach()
    assert set(vars(algorithm)) == before
    assert (type(algorithm.replay_buffer), type(algorithm.enc_replay_buffer)) == classes
    assert (vars(algorithm.replay_buffer).keys(), vars(algorithm.enc_replay_buffer).keys()) == buffers
    np.testing.assert_equal(_shared(_rows(algorithm)), expected)


@pytest.mark.parametrize(
    "name", [name for name, cls in RELABELERS.items() if name != "none" and not cls.needs_goals]
)
def test_every_relabeler_changes_training_and_its_columns_are_alive(plain_run, make_algorithm, name):
    env_name, options, expected = plain_run
    algorithm = make_algorithm(env_name, **options)
    relabeling = attach(algorithm, name, relabel_fraction=1.0, seed=3)
    rows = _rows(algorithm)
    assert _shared(rows) != expected
    for row in rows:
        of_batches = name.endswith("-sampling")
        assert (row["relabel/paths relabeled"] > 0) != of_batches
        assert (row["relabel/sampled transitions relabeled"] > 0) == of_batches
        assert row["relabel/effective tasks"] > 0
        assert np.isfinite(row["relabel/utility Mean"]) == (name != "random")
        assert row["relabel/time (s)"] > 0
        assert 0 < row["relabel/share of time"] < 1
    assert rows[1]["relabel/share that changed task"] > 0
    # until the next path
    assert relabeling.statistics["relabel/paths seen"] == rows[-1]["relabel/paths seen"]


def test_every_update_begins_an_iteration_with_a_new_partition_function(make_algorithm):
    algorithm = make_algorithm("four-corners", num_iterations=4)
    relabeling = attach(algorithm, "hfr", relabel_fraction=1.0, seed=0)
    rows = _rows(algorithm)
    assert relabeling._router.iteration == 3
    assert len({row["relabel/log Z Mean"] for row in rows}) == 4


def test_runs_are_reproducible_and_follow_the_relabeling_seed(make_algorithm):
    def run(seed):
        algorithm = make_algorithm("four-corners")
        attach(algorithm, "hfr", relabel_fraction=1.0, seed=seed)
        return [{k: v for k, v in row.items() if "ime" not in k} for row in _rows(algorithm)]

    np.testing.assert_equal(run(1), run(1))
    assert run(1) != run(2)


def test_columns_have_the_same_keys_and_order_for_every_relabeler(make_algorithm):
    keys = set()
    for name in RELABELERS:
        algorithm = make_algorithm("four-corners", num_iterations=2)
        attach(algorithm, name)
        keys |= {tuple(row) for row in _rows(algorithm)}
    assert len(keys) == 1


def _snapshot(algorithm):
    agent = algorithm.agent
    buffers = [
        next(iter(b.task_buffers.values())) for b in (algorithm.replay_buffer, algorithm.enc_replay_buffer)
    ]
    generators = [algorithm.rng, *(b.rng for b in buffers)]
    tensors = [
        torch.get_rng_state(),
        agent.z,
        agent.z_means,
        agent.z_vars,
        agent.context,
        *(p for n in algorithm.networks for p in n.parameters()),
    ]
    return copy.deepcopy(
        dict(
            tensors=[tensor.detach().numpy() for tensor in tensors],
            grads=[p.grad for n in algorithm.networks for p in n.parameters()],
            numpy=np.random.get_state(),  # noqa: NPY002
            python=random.getstate(),
            generators=[g.bit_generator.state for g in generators],
            task=algorithm.env._task_idx,
            sizes=[b.num_steps_can_sample() for b in algorithm.enc_replay_buffer.task_buffers.values()],
        )
    )


@pytest.mark.parametrize("name", RELABELERS)
def test_scoring_leaves_the_host_as_it_was(make_algorithm, make_path, name):
    algorithm = make_algorithm("four-corners")
    relabeling = attach(algorithm, name, relabel_fraction=1.0)
    for task in algorithm.train_tasks:
        algorithm.collect_data([task], 20)
    algorithm.agent.context = torch.ones(1, 2, 5)
    paths = algorithm.sampler.obtain_paths([0])
    before = _snapshot(algorithm)
    (route,) = relabeling._router.routes("rl", 0, paths)
    assert route.path is paths[0]
    assert (relabeling.statistics["relabel/paths relabeled"] > 0) != name.endswith("-sampling")
    np.testing.assert_equal(_snapshot(algorithm), before)


class ToTwo(rlkit_hfr.Relabeler):
    name = "to-two"

    def decide(self, paths, source_tasks, scorer, rng):
        unknown = np.zeros(len(scorer.candidate_tasks))
        sure = np.eye(len(unknown))[scorer.candidate_tasks.index(2)]
        return [rlkit_hfr.RelabelDecision(2, sure, unknown, unknown) for _ in paths]


def test_collection_and_evaluation_read_originals_and_training_reads_relabeled_data(make_algorithm):
    """Every path is sent to task 2: the others' posteriors must still see their own data,
    and training must see it only at task 2.
    """

    algorithm = make_algorithm("four-corners", embedding_batch_size=200)
    attach(algorithm, ToTwo(), relabel_fraction=1.0)
    for task in algorithm.train_tasks:
        algorithm.collect_data([task], 20)
    sizes = {task: algorithm.replay_buffer.num_steps_can_sample(task) for task in range(4)}
    algorithm.sample_context([0, 1])  # training has begun
    algorithm._visit([0])
    grown = {task: algorithm.replay_buffer.num_steps_can_sample(task) - sizes[task] for task in range(4)}
    assert grown[0] == grown[1] == grown[3] == 0
    assert grown[2] >= 60
    own = algorithm.enc_replay_buffer.task_buffers[0]
    assert own.num_steps_can_sample() >= 40  # prior and posterior steps, and not the RL-only ones
    rewards = algorithm.env.compute_rewards(
        {"env_infos": {"achieved": own._next_obs[: own._size]}}, [0]
    ).rewards[0]
    np.testing.assert_array_equal(own._rewards[: own._size, 0], rewards)
    collected = algorithm.sample_context(0)
    assert collected.shape == (1, 200, 5)
    trained = algorithm.sample_context([2])
    after = trained[0, :, :2] + 0.1 * trained[0, :, 2:4]  # the point robot's next state
    expected = algorithm.env.compute_rewards({"env_infos": {"achieved": after.numpy()}}, [2]).rewards[0]
    np.testing.assert_array_equal(trained[0, :, 4].numpy(), expected)


@pytest.mark.parametrize(
    ("into", "rl", "context"), [("both", True, True), ("rl", True, False), ("context", False, True)]
)
def test_relabeled_paths_train_what_relabel_into_says(make_algorithm, into, rl, context):
    """Task 0 is visited, and its paths are sent to task 2."""
    algorithm = make_algorithm("four-corners", embedding_batch_size=200)
    attach(algorithm, ToTwo(), relabel_fraction=1.0, relabel_into=into)
    for task in algorithm.train_tasks:
        algorithm.collect_data([task], 20)
    sizes = [algorithm.replay_buffer.num_steps_can_sample(task) for task in (0, 2)]
    algorithm.sample_context([0, 1])  # training has begun
    algorithm._visit([0])
    grown = [algorithm.replay_buffer.num_steps_can_sample(t) > n for t, n in zip((0, 2), sizes, strict=True)]
    assert grown == [not rl, rl]
    own = algorithm.enc_replay_buffer.task_buffers[0]
    visited = {row.tobytes() for row in own._observations[: own._size]}
    trained = {row.tobytes() for row in algorithm.sample_context([2])[0, :, :2].numpy()}
    moved = trained & visited - {np.zeros(2, np.float32).tobytes()}  # every episode starts at 0
    assert bool(moved) == context


def test_the_initial_pool_is_never_relabeled(make_algorithm):
    algorithm = make_algorithm("four-corners")
    relabeling = attach(algorithm, "random", relabel_fraction=1.0)
    for task in algorithm.train_tasks:
        algorithm.collect_data([task], 20)
    assert relabeling.statistics["relabel/paths relabeled"] == 0
    algorithm.collect_data([0], 20)
    assert relabeling.statistics["relabel/paths relabeled"] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: setattr(a, "relabel_method", "hfr-q"), "relabels by itself"),
        (lambda a: delattr(a, "qf2"), "without qf2"),
        (lambda a: setattr(a, "train_tasks", [0, 99]), r"\[99\] are no keys"),
        (lambda a: setattr(a.agent.context_encoder, "input_size", 99), "rows of 99; expected 5"),
    ],
)
def test_hosts_that_cannot_be_served_are_refused_untouched(make_algorithm, change, message):
    algorithm = make_algorithm()
    change(algorithm)
    before = dict(vars(algorithm))
    with pytest.raises(ValueError, match=message):
        attach(algorithm, "hfr", host="oyster")
    assert vars(algorithm) == before
    assert type(algorithm.replay_buffer) is MultiTaskReplayBuffer


def test_wrong_arguments_are_refused_before_anything_changes(make_algorithm):
    algorithm = make_algorithm()
    for arguments, message in [
        (dict(relabeler="hffr"), "did you mean 'hfr'"),
        (dict(relabel_fraction=2.0), "between 0 and 1"),
        (dict(stale_context="perhaps"), "drop, keep"),
        (dict(after_terminal="perhaps"), "after_terminal must be one of keep, drop"),
        (dict(host="oister"), "did you mean 'oyster'"),
        (dict(rewards=5), "must be a function"),
        (dict(num_states=5), "has no option 'num_states'"),
        (dict(prior=[1, 1]), "a weight of each of the 5 candidate tasks, got 2"),
        (dict(relabeler="virtual", rewards="learned"), "rewards= has none of task vectors"),
        (dict(rewards=VectorRewards(None, np.zeros((3, 2)), None)), "each task up to 4, got 3 rows"),
        (dict(relabeler="hipi-sampling", relabel_into="context"), "relabels RL batches alone"),
    ]:
        with pytest.raises(ValueError, match=message):
            attach(algorithm, **arguments)
    assert type(algorithm.replay_buffer) is MultiTaskReplayBuffer
    with pytest.raises(ValueError, match="without agent"):
        attach(object(), "hfr")
    attach(algorithm, "hfr")
    with pytest.raises(ValueError, match="attached already"):
        attach(algorithm, "hfr")


def test_rows_reach_the_csv_in_one_order(make_algorithm, tmp_path):
    algorithm = make_algorithm("four-corners", num_iterations=3)
    attach(algorithm, "hfr", relabel_fraction=0.1)
    logger.set_snapshot_dir(tmp_path)
    rows = _rows(algorithm)
    lines = (tmp_path / "progress.csv").read_text().splitlines()
    assert lines[0].split(",") == list(rows[0])
    assert len(lines) == 4
    assert all(len(line.split(",")) == len(rows[0]) for line in lines)


def test_a_moved_path_ends_with_its_new_tasks_episode_unless_told_otherwise(make_algorithm):
    """Every hindsight episode ends at its second step: what moved has two steps, or all of them."""

    def rewards(path, tasks):
        terminals = np.zeros((len(tasks), len(path["rewards"])), bool)
        terminals[:, 1] = True
        return np.ones(terminals.shape), terminals

    stored = {}
    for after_terminal in ("drop", "keep"):
        algorithm = make_algorithm("four-corners", num_iterations=1)
        relabeling = attach(
            algorithm, "random", rewards=rewards, relabel_fraction=1.0, after_terminal=after_terminal, seed=0
        )
        with pytest.warns(UserWarning, match="do not give back"):
            algorithm.train()
        moved = round(relabeling.statistics["relabel/paths relabeled"])
        buffers = algorithm.replay_buffer.task_buffers.values()
        stored[after_terminal] = sum(buffer.num_steps_can_sample() for buffer in buffers)
    length = algorithm.config.max_path_length
    lost = stored["keep"] - stored["drop"]
    assert lost > 0 and lost % (length - 2) == 0 and lost <= moved * (length - 2)


def test_requests_of_training_are_counted(make_algorithm):
    algorithm = make_algorithm()
    relabeling = attach(algorithm, "random", seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none came: that is warned of
        algorithm.train()
    updates = algorithm.config.num_iterations * algorithm.config.num_train_steps_per_itr
    assert relabeling._router.training_requests == updates


@pytest.mark.parametrize("settings", [{}, {"relabeler": "mine"}])
def test_detach_leaves_no_relabeler_in_the_settings_that_a_log_records(make_algorithm, settings):
    algorithm = make_algorithm()
    algorithm.log_settings.update(settings)
    for name in ("random", "hfr"):
        relabeling = attach(algorithm, name)
        assert algorithm.log_settings == {"relabeler": name} | settings
        relabeling.detach()
        assert algorithm.log_settings == settings
        algorithm.log_settings["relabeler"] = "another"
        relabeling.detach()  # once more, which takes nothing away
        assert algorithm.log_settings["relabeler"] == "another"
        algorithm.log_settings.clear()
        algorithm.log_settings.update(settings)
