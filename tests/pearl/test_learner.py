"""What every update is given: the size of its contexts and its learning rates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rlkit_hfr.pearl.learner import frozen
from rlkit_hfr.pearl.meta_algorithm import DivergedError


def test_context_sizes_are_drawn_between_the_fewest_and_the_batch(make_algorithm):
    algorithm = make_algorithm("point-robot", embedding_batch_size=32, min_embedding_batch_size=2)
    rows = torch.arange(32.0).view(1, 32, 1)
    seen = [algorithm._shortened(rows) for _ in range(400)]
    sizes = np.array([part.shape[1] for part in seen])
    assert sizes.min() == 2 and sizes.max() == 32
    assert all(torch.equal(part, rows[:, : part.shape[1]]) for part in seen)
    # log-uniform: as many below the geometric mean, 8, as above it
    assert (sizes < 8).mean() == pytest.approx(0.5, abs=0.1)


def test_without_a_fewest_nothing_is_drawn_and_contexts_are_whole(make_algorithm):
    algorithm = make_algorithm("point-robot", embedding_batch_size=32)
    before = algorithm.rng.bit_generator.state
    assert algorithm._shortened(torch.zeros(1, 32, 1)).shape == (1, 32, 1)
    assert algorithm.rng.bit_generator.state == before


@pytest.mark.parametrize(
    ("option", "other"), [({"min_embedding_batch_size": 2}, {}), ({"lr_end_factor": 0.5}, {})]
)
def test_updates_heed_the_option(make_algorithm, option, other):
    """The second update: the first is made at the full learning rates."""
    weights = []
    for settings in (option, other):
        algorithm = make_algorithm("point-robot", embedding_batch_size=32, **settings)
        for task in algorithm.train_tasks:
            algorithm.collect_data([task], 20)
        for _ in range(2):
            torch.manual_seed(3)
            algorithm._do_training([0, 1])
            algorithm._n_train_steps_total += 1
        weights.append(torch.cat([weight.flatten() for weight in algorithm.qf1.parameters()]))
    assert not torch.equal(*weights)


def test_learning_rates_fall_linearly_to_their_share(make_algorithm):
    algorithm = make_algorithm(
        "point-robot",
        num_iterations=5,
        num_train_steps_per_itr=2,
        qf_lr=1e-3,
        policy_lr=2e-3,
        lr_end_factor=0.2,
    )
    for done, factor in ((0, 1.0), (5, 0.6), (10, 0.2), (30, 0.2)):
        algorithm._n_train_steps_total = done
        algorithm._anneal_learning_rates()
        assert algorithm.qf_optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * factor)
        assert algorithm.policy_optimizer.param_groups[0]["lr"] == pytest.approx(2e-3 * factor)


def test_a_loss_that_is_not_finite_is_named_with_its_update(make_algorithm):
    algorithm = make_algorithm()
    for losses in ([1.0, 2.0, 3.0], [1.0, float("inf"), float("nan")]):
        algorithm._note_losses([torch.tensor(loss) for loss in losses])
    with pytest.raises(DivergedError, match="VF Loss became inf at update 2 of iteration 6"):
        algorithm.check_losses(5)
    algorithm.check_losses(6)  # each iteration's are looked at once


def test_frozen_networks_pass_gradients_on_and_get_none():
    net, x = torch.nn.Linear(3, 1), torch.ones(1, 3, requires_grad=True)
    with frozen(net):
        net(x).backward()
    assert net.weight.grad is None
    torch.testing.assert_close(x.grad, net.weight.detach())
    assert net.weight.requires_grad
