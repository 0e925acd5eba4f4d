"""How a host's networks want to be called, found out once with dummy rows."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Callable, NamedTuple

import torch
from torch import Tensor, nn

from rlkit_hfr.protocols import Policy

if TYPE_CHECKING:
    from typing import TypeGuard  # Python 3.10

Call = Callable[..., Tensor]
Get = Callable[[], nn.Module]  # the network, looked up anew each time: hosts load and swap them

_KINDS = {
    "obs": ("obs", "state", "s"),
    "action": ("act", "action", "a", "u"),
    "z": ("z", "task_z", "latent", "context", "task", "embedding"),
}


def _kind(name: str) -> str | None:
    """What a parameter of this name takes: "obs", "action" or "z"."""
    for kind, words in _KINDS.items():
        if any(name == word or (len(word) > 1 and name.startswith(word)) for word in words):
            return kind
    return None


def _parameters(net: nn.Module) -> list[inspect.Parameter] | None:
    """The positional parameters of `forward` without defaults; None if it takes any number."""
    parameters = list(inspect.signature(net.forward).parameters.values())
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return [
        p
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]


def _conventions(get: Get, parts: Sequence[str]) -> list[Call]:
    """Ways to call the network with the named parts, likeliest first. Each takes the parts
    in the given order.
    """

    def separate(*inputs: Tensor) -> Tensor:
        return get()(*inputs)

    def joined(*inputs: Tensor) -> Tensor:
        return get()(torch.cat(inputs, dim=-1))

    def latent_joined_to_obs(*inputs: Tensor) -> Tensor:
        return get()(torch.cat([inputs[0], inputs[-1]], dim=-1), *inputs[1:-1])

    def latent_first(*inputs: Tensor) -> Tensor:
        return get()(inputs[-1], *inputs[:-1])

    ways = [separate, joined, latent_joined_to_obs, latent_first]
    parameters = _parameters(get())
    if parameters is not None and len(parameters) == len(parts):
        kinds = [_kind(p.name) for p in parameters]
        if sorted(map(str, kinds)) == sorted(parts):
            order = [list(parts).index(str(kind)) for kind in kinds]
            ways.insert(0, lambda *inputs: get()(*(inputs[i] for i in order)))
    return ways


def value_calls(
    gets: Sequence[Get],
    parts: Sequence[str],
    dummies: Sequence[Tensor],
    agrees: Callable[[list[Call]], bool] | None = None,
) -> list[Call] | None:
    """How to call critics or value networks, all in the same way, with rows of `parts`
    ("obs", "action", "z"), so that each returns (R, 1).

    agrees: a further check; a way that passes it is preferred to likelier ones, for
    networks that would take their inputs in any order. None if no way works.
    """
    together = zip(*(_conventions(get, parts) for get in gets))
    candidates = [[_as_column(way) for way in ways] for ways in together]
    working = [calls for calls in candidates if all(_works(call, dummies) for call in calls)]
    if agrees is not None:
        working.sort(key=lambda calls: not agrees(calls))  # stable: likelier ways stay first among equals
    return working[0] if working else None


def _as_column(way: Call) -> Call:
    def call(*inputs: Tensor) -> Tensor:
        return way(*inputs).reshape(len(inputs[0]), 1)

    return call


def policy_call(get: Get, obs: Tensor, z: Tensor) -> Policy | None:
    """How to call a policy with observations and latents; what it returns is left as it
    is. None if nothing works.
    """
    quiet = {"deterministic": True} if "deterministic" in inspect.signature(get().forward).parameters else {}

    def joined(obs: Tensor, z: Tensor) -> object:
        return get()(torch.cat([obs, z], dim=-1), **quiet)

    def separate(obs: Tensor, z: Tensor) -> object:
        return get()(obs, z, **quiet)

    parameters = _parameters(get())
    ways = [separate, joined] if parameters is not None and len(parameters) == 2 else [joined, separate]
    return next((way for way in ways if _works(way, (obs, z))), None)


def _works(call: Callable[..., object], inputs: Sequence[Tensor]) -> bool:
    try:
        call(*inputs)
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError):
        return False
    return True


def normal_parameters(out: object) -> tuple[Tensor, Tensor] | None:
    """Mean and standard deviation before the tanh, from what a policy returned; None if it can't be told.

    Known: rlkit's TanhNormal (`normal_mean`, `normal_std`), torch's tanh-transformed
    Normal, oyster's tuple (action, mean, log_std, ...) called deterministically, where
    the action is tanh(mean).
    """
    if hasattr(out, "normal_mean") and hasattr(out, "normal_std"):
        return out.normal_mean, out.normal_std
    if isinstance(out, tuple) and len(out) >= 3 and all(isinstance(part, Tensor) for part in out[:3]):
        action, mean, log_std = out[:3]
        if action.shape == mean.shape and torch.allclose(action, torch.tanh(mean), atol=1e-5):
            return mean, log_std.expand_as(mean).exp()
    base = getattr(out, "base_dist", None)
    transforms = getattr(out, "transforms", [])
    if base is not None and len(transforms) == 1 and type(transforms[0]).__name__ == "TanhTransform":
        normal = getattr(base, "base_dist", base)
        return normal.loc, normal.scale
    return None


def sampled_action(out: object) -> Tensor | None:
    """The action in what a policy returned: a distribution's sample, the first of a tuple,
    or the output itself.
    """
    if hasattr(out, "sample"):
        return out.sample()
    first = out[0] if isinstance(out, tuple) and out else out
    return first if isinstance(first, Tensor) else None


class OwnPosterior(NamedTuple):
    """What a host's agent infers from N contexts. mean, variance: (N, Z); of a belief that is no Gaussian the
    mean is a sample, the variance 0 and `sampled` true."""

    mean: Tensor
    variance: Tensor
    sampled: bool = False


def own_posterior(agent: object, context: Tensor, has_bottleneck: bool) -> OwnPosterior | None:
    """What a host's agent infers by itself from contexts of one length (N, T, D); None if it
    has no inference that we know.
    """
    latent_posterior = getattr(agent, "latent_posterior", None)
    if callable(latent_posterior):  # rlkit: torch/smac/agent.py, a pure function
        posterior = latent_posterior(context)
        return OwnPosterior(posterior.mean, posterior.stddev.square())
    # oyster: torch/sac/agent.py, overwrites the belief, which `isolated` puts back
    infer_posterior = getattr(agent, "infer_posterior", None)
    if not callable(infer_posterior):
        return None
    infer_posterior(context)
    mean, variance, z = (getattr(agent, name, None) for name in ("z_means", "z_vars", "z"))
    if not _is_row_per(mean, len(context)) or (_is_row_per(z, len(context)) and z.shape != mean.shape):
        # several encoders, or a belief that is categorical: z alone says what the policy acts on
        if not _is_row_per(z, len(context)):
            raise ValueError(
                f"infer_posterior left no z of {len(context)} rows, got {getattr(z, 'shape', z)!r}"
            )
        return OwnPosterior(z, torch.zeros_like(z), sampled=True)
    if has_bottleneck and isinstance(variance, Tensor) and variance.shape == mean.shape:
        return OwnPosterior(mean, variance)
    return OwnPosterior(mean, torch.zeros_like(mean))


def _is_row_per(value: object, number: int) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and value.ndim == 2 and len(value) == number
