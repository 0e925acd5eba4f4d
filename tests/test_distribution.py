"""q(psi|tau) and log Z against closed forms, and at the edges of what floats can hold."""

import math

import numpy as np
import pytest
import torch

from rlkit_hfr.distribution import entropy, log_partition, relabel_probs

INF = float("inf")
NAN = float("nan")


def test_two_tasks_closed_form():
    # U - log Z = (log 3, 0): odds of 3 to 1.
    probs = relabel_probs(torch.tensor([math.log(6.0), 1.0]), torch.tensor([math.log(2.0), 1.0]))
    np.testing.assert_allclose(probs, torch.tensor([0.75, 0.25], dtype=torch.float64))


def test_log_partition_is_a_mean_over_trajectories_not_over_tasks():
    # Over trajectories (the right axis) the tasks' values are log mean(1, 3) = log 2
    # and log mean(5, 7) = log 6.
    utilities = torch.log(torch.tensor([[1.0, 5.0], [3.0, 7.0]]))
    np.testing.assert_allclose(
        log_partition(utilities), torch.log(torch.tensor([2.0, 6.0], dtype=torch.float64))
    )


def test_without_partition_everything_goes_to_the_task_with_the_larger_constant():
    # the second task's rewards are larger by a constant
    utilities = torch.tensor([[5.0, 105.0], [4.0, 104.0]])
    assert relabel_probs(utilities)[:, 1].min() > 0.999
    normalised = relabel_probs(utilities, log_partition(utilities))
    np.testing.assert_allclose(normalised, torch.full((2, 2), 0.5, dtype=torch.float64))


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(1.0, 1 / (1 + math.e**-2)), (2.0, 1 / (1 + math.e**-1)), (0.5, 1 / (1 + math.e**-4))],
)
def test_temperature_divides_the_score(temperature, expected):
    assert relabel_probs(torch.tensor([2.0, 0.0]), temperature=temperature)[0].item() == pytest.approx(
        expected
    )


def test_hard_max_takes_the_best_after_the_prior_in_equal_shares():
    scores = torch.tensor([3.0, 3.0, 2.9])
    assert relabel_probs(scores, temperature=0.0).tolist() == [0.5, 0.5, 0.0]
    prior = torch.log(torch.tensor([0.6, 0.2, 0.2]))
    assert relabel_probs(scores, temperature=0.0, log_prior=prior).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_prior_is_tempered_like_the_utility(temperature):
    # Odds (3 to 1) and prior (4 to 1), both to the power 1/T.
    scores, prior = torch.log(torch.tensor([3.0, 1.0])), torch.log(torch.tensor([0.8, 0.2]))
    odds = (3.0 * 4.0) ** (1.0 / temperature)
    assert relabel_probs(scores, temperature=temperature, log_prior=prior)[0].item() == pytest.approx(
        odds / (1 + odds)
    )


def test_an_infinite_temperature_is_uniform_over_what_is_possible():
    assert relabel_probs(torch.tensor([5.0, 1.0, -INF]), temperature=INF).tolist() == [0.5, 0.5, 0.0]


def test_log_partition_lies_between_the_maximum_and_the_mean():
    # T log mean exp(U / T) of 0 and T log 3 is T log 2.
    for temperature in (0.1, 1.0, 50.0):
        utilities = torch.tensor([[0.0], [temperature * math.log(3.0)]])
        assert log_partition(utilities, temperature=temperature).item() == pytest.approx(
            temperature * math.log(2.0)
        )
    utilities = torch.tensor([[0.0], [4.0]])
    assert log_partition(utilities, temperature=0.0).item() == 4.0
    assert log_partition(utilities, temperature=INF).item() == 2.0


def test_prior_multiplies_the_odds():
    probs = relabel_probs(torch.tensor([math.log(2.0), 0.0]), log_prior=torch.log(torch.tensor([0.25, 0.75])))
    np.testing.assert_allclose(probs, torch.tensor([0.4, 0.6], dtype=torch.float64))
    assert relabel_probs(torch.tensor([1.0, 1e4]), log_prior=torch.tensor([0.0, -INF])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("temperature", [0.0, 1e-3, 1.0, 100.0])
@pytest.mark.parametrize(
    "utilities",
    [
        [1e4, -1e4, 0.0],
        [1e30, 1e30, -1e30],
        [-INF, 0.0, 1.0],
        [-INF, -INF, -INF],
        [float("nan"), 0.0, 1.0],
        [INF, 0.0, -INF],
    ],
)
def test_always_a_distribution(utilities, temperature):
    probs = relabel_probs(torch.tensor(utilities), temperature=temperature)
    assert torch.isfinite(probs).all()
    assert probs.sum().item() == pytest.approx(1.0)
    for value, p in zip(utilities, probs.tolist()):
        if (value == -INF or math.isnan(value)) and max(u for u in utilities if not math.isnan(u)) > -INF:
            assert p == 0.0


@pytest.mark.parametrize("unit", [0.03, 30.0])
def test_at_a_temperature_of_its_unit_the_prior_is_the_prior(unit):
    prior = torch.log(torch.tensor([0.8, 0.2]))
    equal, better = torch.tensor([2.0, 2.0]), torch.tensor([2.0, 2.0 + unit * math.log(4.0)])
    for scores, expected in ((equal, 0.8), (better, 0.5)):
        probs = relabel_probs(scores, temperature=unit, log_prior=prior, unit=unit)
        assert probs[0].item() == pytest.approx(expected, abs=1e-6)


def test_what_is_no_number_is_left_out_of_the_mean():
    utilities = torch.tensor([[1.0, NAN, -INF], [3.0, NAN, 2.0], [NAN, NAN, 2.0]])
    assert log_partition(utilities, temperature=INF).tolist() == [2.0, -INF, -INF]


def test_nothing_known_returns_the_prior():
    prior = torch.tensor([0.2, 0.8])
    np.testing.assert_allclose(
        relabel_probs(torch.tensor([-INF, -INF]), log_prior=prior.log()), prior.double()
    )


def test_single_task_and_large_magnitudes():
    assert relabel_probs(torch.tensor([[-123.0]])).tolist() == [[1.0]]
    log_z = log_partition(torch.tensor([[1e4], [1e4]]))
    assert log_z.item() == pytest.approx(1e4)
    assert log_partition(torch.tensor([[-INF], [math.log(2.0)]])).item() == pytest.approx(0.0, abs=1e-6)
    assert log_partition(torch.full((3, 1), -INF)).item() == -INF


def test_a_task_without_finite_partition_gets_no_mass():
    assert relabel_probs(torch.tensor([0.0, 5.0]), torch.tensor([0.0, -INF])).tolist() == [1.0, 0.0]


def test_batched_over_paths():
    utilities = torch.randn(6, 4)
    log_z = torch.randn(4)
    rows = torch.stack([relabel_probs(row, log_z, 0.7) for row in utilities])
    np.testing.assert_allclose(relabel_probs(utilities, log_z, 0.7), rows)


def test_refuses_a_negative_temperature_and_an_empty_partition():
    with pytest.raises(ValueError, match="temperature"):
        relabel_probs(torch.zeros(2), temperature=-1.0)
    with pytest.raises(ValueError, match="at least one trajectory"):
        log_partition(torch.zeros(0, 2))


def test_entropy_counts_tasks():
    assert math.exp(entropy(torch.full((8,), 1 / 8)).item()) == pytest.approx(8.0)
    assert entropy(torch.tensor([1.0, 0.0])).item() == 0.0
    rows = entropy(torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))
    assert rows.tolist() == pytest.approx([math.log(2.0), 0.0])
