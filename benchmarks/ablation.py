"""What each step of the update's speed brings: ``python benchmarks/ablation.py --env cheetah-vel``.

The built-in PEARL's update against itself without one of its measures, and with
measures that it does without, all in this process in alternation on the same batches;
what counts is the ratio. ``--compile`` adds torch.compile, which needs a C++ compiler.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from timing import alternating_seconds
from torch import Tensor, nn

from rlkit_hfr.experiments.runs.build import build_algorithm
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.pearl import sac

Algorithm = sac.PEARLSoftActorCritic


def _adam(algorithm: Algorithm, **options: bool) -> None:
    for name, optimizer in algorithm._named_optimizers().items():
        group = optimizer.param_groups[0]
        setattr(algorithm, f"{name}_optimizer", torch.optim.Adam(group["params"], lr=group["lr"], **options))


class _Both(nn.Module):
    """Two critics as one network of batched products."""

    def __init__(self, nets: list[Any]) -> None:
        super().__init__()
        layers = [[*net.fcs, net.last_fc] for net in nets]
        self.weights = nn.ParameterList(
            [torch.stack([fc.weight.detach().T for fc in pair]) for pair in zip(*layers, strict=True)]
        )
        self.biases = nn.ParameterList(
            [torch.stack([fc.bias.detach()[None] for fc in pair]) for pair in zip(*layers, strict=True)]
        )

    def forward(self, x: Tensor) -> Tensor:
        h = x.expand(2, *x.shape)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = torch.relu(torch.baddbmm(bias, h, weight))
        return torch.baddbmm(self.biases[-1], h, self.weights[-1]).float()


class _Critic(nn.Module):
    """The first of both critics computes for the second too."""

    def __init__(self, both: _Both, first: _Critic | None = None) -> None:
        super().__init__()
        self.both, self.first = both, first

    def forward(self, *inputs: Tensor) -> Tensor:
        if self.first is not None:
            return self.first.out[1]
        self.out = self.both(torch.cat(inputs, dim=-1))
        return self.out[0]


def _batched_critics(algorithm: Algorithm) -> None:
    both = _Both([algorithm.qf1, algorithm.qf2])
    algorithm.qf1 = first = _Critic(both)  # type: ignore[assignment]
    algorithm.qf2 = _Critic(both, first)  # type: ignore[assignment]
    algorithm.qf_optimizer = torch.optim.Adam(both.parameters(), lr=algorithm.config.qf_lr, fused=True)


def _compiled(algorithm: Algorithm) -> None:
    for net in (
        algorithm.qf1,
        algorithm.qf2,
        algorithm.vf,
        algorithm.target_vf,
        algorithm.agent.policy,
        algorithm.agent.context_encoder,
    ):
        net.compile(dynamic=False)


def _one_by_one(targets: list[Tensor], sources: list[Tensor], weight: float) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.mul_(1.0 - weight).add_(source, alpha=weight)


def _nothing(algorithm: Algorithm) -> None:
    pass


def _frozen_nothing(*nets: nn.Module) -> contextlib.nullcontext[None]:
    return contextlib.nullcontext()


# name -> (what is done to the algorithm, what is patched while it updates)
_VARIANTS: dict[str, tuple[Callable[[Algorithm], None], Callable[[], Any]]] = {
    "as it is": (_nothing, contextlib.nullcontext),
    "gradients of the critics' weights in the policy's loss too": (
        _nothing,
        lambda: mock.patch.object(sac, "frozen", _frozen_nothing),
    ),
    "Adam a tensor at a time": (lambda a: _adam(a, foreach=False, fused=False), contextlib.nullcontext),
    "Adam with foreach": (lambda a: _adam(a, foreach=True), contextlib.nullcontext),
    "target network a tensor at a time": (
        _nothing,
        lambda: mock.patch.object(torch, "_foreach_lerp_", _one_by_one),
    ),
    "both critics in one batched product": (_batched_critics, contextlib.nullcontext),
}


def _report(env: str, precision: str, variants: dict[str, Any], repeats: int) -> None:
    settings = [
        "n_train_tasks=16",
        "n_eval_tasks=2",
        "num_iterations=1",
        "replay_buffer_size=20000",
        f"algo_params.precision={precision}",
    ]
    variant = build_variant(env, "none", "paper", None, settings, 0)
    indices, work = list(range(variant["algo_params"]["meta_batch"])), {}
    for name, (prepare, patched) in variants.items():
        algorithm = build_algorithm(variant, torch.device("cpu"))
        algorithm.collect_data(algorithm.train_tasks, 400)
        prepare(algorithm)

        def update(algorithm: Algorithm = algorithm, patched: Callable[[], Any] = patched) -> None:
            with patched():
                algorithm._do_training(indices)

        work[name] = update
    seconds = alternating_seconds(work, repeats)
    for name in variants:
        print(f"| {name} | `{env}` | {precision} | {seconds[name] / seconds['as it is']:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", nargs="+", default=["cheetah-vel"])
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--compile", action="store_true", help="also torch.compile of every network")
    args = parser.parse_args()
    variants = (
        {**_VARIANTS, "torch.compile of every network": (_compiled, contextlib.nullcontext)}
        if args.compile
        else _VARIANTS
    )
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads\n\n| update | preset | precision |"
        " time to that of the update as it is |"
    )
    print("|---|---|---|---|")
    for env in args.env:
        for precision in args.precision:
            _report(env, precision, variants, args.repeats)


if __name__ == "__main__":
    main()
