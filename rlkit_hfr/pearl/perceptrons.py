"""The multi-layer perceptrons of PEARL: critics, context encoder and tanh-Gaussian policy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit_hfr.gaussians import tanh_gaussian_log_prob

LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0


class Mlp(nn.Module):
    """ReLU network (..., input_size) -> (..., output_size).

    Hidden weights are uniform in +-1/sqrt(fan-in), biases 0.1; the last layer is
    uniform in +-`init_w`, so that outputs start near 0.
    """

    def __init__(
        self,
        hidden_sizes: Sequence[int],
        input_size: int,
        output_size: int,
        init_w: float = 3e-3,
        features: nn.Module | None = None,
    ) -> None:
        """features: comes before the first layer, (..., input_size) -> (...,
        features.output_size); None for the input itself.
        """
        super().__init__()
        self.input_size = input_size
        self.output_size = output_size
        sizes = [input_size if features is None else int(features.output_size), *hidden_sizes]  # type: ignore[arg-type]
        self.features = features
        layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        self.fcs = nn.ModuleList(layers)
        self.last_fc = nn.Linear(sizes[-1], output_size)
        for fc in layers:
            bound = 1.0 / math.sqrt(fc.in_features)
            nn.init.uniform_(fc.weight, -bound, bound)
            nn.init.constant_(fc.bias, 0.1)
        nn.init.uniform_(self.last_fc.weight, -init_w, init_w)
        nn.init.uniform_(self.last_fc.bias, -init_w, init_w)

    def hidden(self, x: Tensor) -> Tensor:
        if self.features is not None:
            x = self.features(x)
        for fc in self.fcs:
            x = F.relu(fc(x))
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.last_fc(self.hidden(x)).float()  # which autocast may have left in half precision


class FlattenMlp(Mlp):
    """An `Mlp` over the concatenation of its arguments along the last axis: Q(s, a, z) and V(s, z)."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return super().forward(torch.cat(inputs, dim=-1))


class MlpEncoder(Mlp):
    """Permutation-invariant context encoder: one context row -> the factor of the
    posterior that it contributes.
    """

    def reset(self, num_tasks: int = 1) -> None:
        """There is no hidden state to reset."""


class PolicyOutput(NamedTuple):
    """action, mean (before tanh), log_std, std, pre_tanh: (..., A); log_pi: (..., 1), or
    None if it was not asked for.
    """

    action: Tensor
    mean: Tensor
    log_std: Tensor
    log_pi: Tensor | None
    std: Tensor
    pre_tanh: Tensor


class TanhGaussianPolicy(Mlp):
    """pi(a | s, z): tanh of a diagonal Gaussian, input the concatenation of s and z (SAC, appendix C)."""

    def __init__(
        self,
        hidden_sizes: Sequence[int],
        obs_dim: int,
        action_dim: int,
        init_w: float = 1e-3,
        features: nn.Module | None = None,
    ) -> None:
        super().__init__(
            hidden_sizes, input_size=obs_dim, output_size=action_dim, init_w=init_w, features=features
        )
        self.last_fc_log_std = nn.Linear(hidden_sizes[-1], action_dim)
        nn.init.uniform_(self.last_fc_log_std.weight, -init_w, init_w)
        nn.init.uniform_(self.last_fc_log_std.bias, -init_w, init_w)

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        deterministic: bool = False,
        reparameterize: bool = True,
        return_log_prob: bool = False,
    ) -> PolicyOutput:
        features = self.hidden(x)
        mean = self.last_fc(features).float()
        log_std = self.last_fc_log_std(features).float().clamp(LOG_STD_MIN, LOG_STD_MAX)
        std = log_std.exp()
        pre_tanh = mean if deterministic else mean + std * torch.randn_like(mean)
        if not reparameterize:
            pre_tanh = pre_tanh.detach()
        log_pi = None
        if return_log_prob:
            log_pi = tanh_gaussian_log_prob((pre_tanh - mean) / std, log_std, pre_tanh)
        return PolicyOutput(torch.tanh(pre_tanh), mean, log_std, log_pi, std, pre_tanh)
