"""The belief of MIER's agent, and what its model is given of a context row."""

from __future__ import annotations

import pytest
import torch
from tiny_runs import with_data

from rlkit_hfr.context_model import InnerSteps, adapt_context
from rlkit_hfr.mier.agent import TaskModel
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.pearl.evaluation import adapt


def test_the_belief_is_phi_and_has_no_variance(make_mier):
    algorithm = with_data(make_mier())
    agent = algorithm.agent
    agent.clear_z(num_tasks=2)
    torch.testing.assert_close(agent.z, agent.context_encoder.phi.detach().expand(2, -1))
    context = algorithm.sample_context([0, 1])
    agent.infer_posterior(context)
    model = algorithm.model
    torch.testing.assert_close(agent.z, adapt_context(model, *model.split(context), InnerSteps()).detach())
    assert not agent.z.requires_grad
    assert float(agent.z_vars.abs().max()) == 0.0
    result, _ = adapt(agent, algorithm.sampler, algorithm.eval_tasks, algorithm.config)
    assert result.returns.shape == (2, 4)


@pytest.mark.parametrize("with_next_obs", [False, True])
def test_rows_are_split_into_inputs_and_targets(with_next_obs):
    layout = ContextLayout(2, 1, with_next_obs)
    rows = torch.tensor([[1.0, 2.0, 3.0, 4.0, 11.0, 22.0]])[:, : layout.width]
    inputs, targets = TaskModel(layout, 3, 8).split(rows)
    assert inputs.tolist() == [[1.0, 2.0, 3.0]]
    assert targets.tolist() == ([[10.0, 20.0, 4.0]] if with_next_obs else [[4.0]])
