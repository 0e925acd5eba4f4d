"""The model and its inner gradient steps against finite differences, a loop and a closed form."""

from __future__ import annotations

import pytest
import torch

from rlkit_hfr.context_model import ContextModel, InnerSteps, adapt_context

TASKS, ROWS = 3, 7


@pytest.fixture
def world():
    """A small model in double precision, and rows to adapt and to evaluate on."""
    torch.manual_seed(0)
    model = ContextModel(4, 2, 3, hidden_size=6, layers=2).double()
    model.phi.data.normal_()
    draws = [torch.randn(TASKS, ROWS, width, dtype=torch.float64) for width in (4, 2, 4, 2)]
    model.standardise(draws[0].flatten(0, 1) * 3 + 1, draws[1].flatten(0, 1) * 2)
    return model, draws[:2], draws[2:]


def _central_difference(function, weight, index, step=1e-6):
    flat = weight.data.view(-1)
    before = flat[index].item()
    values = []
    for sign in (1, -1):
        flat[index] = before + sign * step
        values.append(function().item())
    flat[index] = before
    return (values[0] - values[1]) / (2 * step)


def test_the_inner_step_is_minus_alpha_times_the_gradient(world):
    model, adapt, _ = world
    (phi,) = [adapt_context(model, *adapt, InnerSteps(steps=1, learning_rate=0.3)).detach()]
    moved = (phi - model.phi).detach()
    for task in range(TASKS):
        for index in range(3):
            slope = _central_difference(
                lambda task=task: model.nll(adapt[0][task], adapt[1][task], model.phi), model.phi, index
            )
            assert moved[task, index].item() == pytest.approx(-0.3 * slope, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("how", [InnerSteps(), InnerSteps(steps=3, late_factor=0.1, clip=0.05)])
def test_the_outer_gradient_goes_through_the_inner_steps(world, how):
    model, adapt, evaluation = world

    def outer():
        return model.nll(*evaluation, adapt_context(model, *adapt, how)).mean()

    outer().backward()
    first_order = [weight.grad.clone() for weight in model.parameters()]
    for weight, found in zip(model.parameters(), first_order, strict=True):
        for index in {0, weight.numel() - 1}:
            expected = _central_difference(outer, weight, index)
            assert found.view(-1)[index].item() == pytest.approx(expected, rel=1e-4, abs=1e-8)


def test_all_tasks_at_once_equal_a_loop_over_tasks(world):
    """The reference takes autograd's gradient task by task and step by step."""
    model, adapt, _ = world
    how = InnerSteps(steps=4, learning_rate=0.2, late_factor=0.1, clip=0.4)
    mask = torch.ones(TASKS, ROWS, dtype=torch.bool)
    mask[1, 4:] = False
    for task, phi in enumerate(adapt_context(model, *adapt, how, mask)):
        expected = model.phi
        for number in range(how.steps):
            rows = [part[task][mask[task]] for part in adapt]
            (slope,) = torch.autograd.grad(model.nll(*rows, expected), expected, create_graph=True)
            slope = slope * min(1.0, how.clip / slope.norm().item())
            rate = how.learning_rate if number < 2 else how.learning_rate * how.late_factor
            expected = expected - rate * slope
        torch.testing.assert_close(phi, expected)


def test_without_gradients_there_is_no_graph(world):
    model, adapt, _ = world
    with torch.no_grad():
        phi = adapt_context(model, *adapt, InnerSteps())
    assert not phi.requires_grad
    torch.testing.assert_close(phi, adapt_context(model, *adapt, InnerSteps()).detach())


def _linear_gaussian(noise: float) -> ContextModel:
    """mean = x + phi, deviation = `noise`, whatever x and phi are."""
    model = ContextModel(1, 1, 1, hidden_size=2, layers=1).double()
    slope = 0.01  # leaky ReLU: h(u) - h(-u) = (1 + slope) u
    with torch.no_grad():
        model.hidden[0].weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))
        model.hidden[0].bias.zero_()
        model.heads.weight.zero_()
        model.heads.weight[0] = torch.tensor([1.0, -1.0]) / (1.0 + slope)
        model.heads.bias.zero_()
        log_var = 2.0 * torch.tensor(noise, dtype=torch.float64).log()
        model.max_log_var.copy_(log_var + 1e-9)
        model.min_log_var.copy_(log_var - 1e-9)
    return model


def test_a_linear_gaussian_world_has_its_closed_form():
    """With y = x + phi + noise the loss is (phi - m)^2 / (2 noise^2), m the mean of y - x: T steps
    leave phi at m + (1 - alpha / noise^2)^T (phi_0 - m), and its prediction at x plus that.
    """
    torch.manual_seed(1)
    noise, alpha, steps = 0.5, 0.1, 5
    model = _linear_gaussian(noise)
    log_var = model(torch.zeros(1, 1).double(), model.phi)[1].item()
    variance = torch.tensor(log_var).exp().item()
    inputs = torch.randn(TASKS, 20, 1, dtype=torch.float64)
    shifts = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64).view(TASKS, 1, 1)
    targets = inputs + shifts + noise * torch.randn_like(inputs)
    phi = adapt_context(model, inputs, targets, InnerSteps(steps=steps, learning_rate=alpha))
    mean = (targets - inputs).mean(dim=1)
    expected = mean - (1.0 - alpha / variance) ** steps * mean
    torch.testing.assert_close(phi, expected, rtol=1e-6, atol=1e-8)
    asked = torch.linspace(-2, 2, 5, dtype=torch.float64).view(1, 5, 1).expand(TASKS, 5, 1)
    torch.testing.assert_close(model.predict(asked, phi)[0], asked + expected.unsqueeze(1))


def test_nll_is_that_of_torch_distributions_in_standard_units(world):
    model, (inputs, targets), _ = world
    phi = torch.randn(TASKS, 3, dtype=torch.float64)
    mean, std = model.predict(inputs, phi)
    log_p = torch.distributions.Normal(mean, std).log_prob(targets) + model.target_std.log()
    torch.testing.assert_close(model.nll(inputs, targets, phi), -log_p.sum(dim=-1).mean(dim=-1))
    mask = torch.ones(TASKS, ROWS, dtype=torch.bool)
    mask[:, 3:] = False
    torch.testing.assert_close(model.nll(inputs, targets, phi, mask), -log_p[:, :3].sum(dim=-1).mean(dim=-1))


def test_log_variances_stay_between_their_bounds(world):
    model, (inputs, _), _ = world
    with torch.no_grad():
        for scale in (-1e3, 1e3):
            model.heads.bias[2:] = scale
            log_var = model(inputs, model.phi.expand(TASKS, -1))[1]
            assert (log_var <= model.max_log_var + 1e-3).all()
            assert (log_var >= model.min_log_var - 1e-3).all()
    assert model.log_var_penalty().item() == pytest.approx(2 * 10.5)
