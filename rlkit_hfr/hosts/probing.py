"""How a host's networks want to be called, found out once, at attach, by calling them with dummy rows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from rlkit_hfr.gaussians import posterior
from rlkit_hfr.hosts.conventions import (
    Call,
    OwnPosterior,
    normal_parameters,
    own_posterior,
    policy_call,
    sampled_action,
    value_calls,
)
from rlkit_hfr.hosts.errors import UnsupportedHost
from rlkit_hfr.hosts.isolation import torch_generators
from rlkit_hfr.hosts.parts import HostParts
from rlkit_hfr.hosts.soft_value import Value, find_value
from rlkit_hfr.paths import ContextLayout
from rlkit_hfr.protocols import Policy

_ROWS = 16
_CAN_NOT_BE_CALLED = (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError)


@dataclass(frozen=True)
class Calls:
    """How to call a host's networks. qf1, qf2: (obs, action, z) -> (R, 1); policy: (obs,
    z) -> whatever it returns;
    knows_normal: whether that tells the Gaussian before the tanh; infers_alone: whether posteriors must be
    the host's own, being no product of Gaussians; value: None where the host has nothing that gives V;
    in_order: whether posteriors depend on the order of a context's rows; samples_alone: whether they are
    samples of z and no Gaussians.
    """

    layout: ContextLayout
    qf1: Call
    qf2: Call
    policy: Policy
    knows_normal: bool
    infers_alone: bool
    value: Value | None
    in_order: bool = False
    samples_alone: bool = False


@dataclass(frozen=True)
class Dummies:
    """Random inputs. obs (R, S), action (R, A), z (R, Z); context: two of five rows (2, 5,
    D) with their mask (2, 5).
    """

    obs: Tensor
    action: Tensor
    z: Tensor
    context: Tensor
    mask: Tensor


def make_dummies(parts: HostParts, layout: ContextLayout) -> Dummies:
    """From torch's global generator: call it inside `isolated`."""
    widths = (parts.obs_dim, parts.action_dim, parts.latent_dim)
    obs, action, z = (torch.randn(_ROWS, width, device=parts.device) for width in widths)
    context = torch.randn(2, 5, layout.width, device=parts.device)
    return Dummies(obs, action.tanh(), z, context, torch.ones(2, 5, dtype=torch.bool, device=parts.device))


def probe(parts: HostParts, isolated: Callable[[], AbstractContextManager[None]]) -> Calls:
    """Raises UnsupportedHost, which says what was found and what is needed, if a network can't be called."""
    layout = _layout(parts, isolated)
    with isolated():
        dummies = make_dummies(parts, layout)
        qf1, qf2 = _critics(parts, dummies)
        policy = _policy(parts, dummies)
        knows_normal = normal_parameters(policy(dummies.obs, dummies.z)) is not None
        infers_alone, in_order, samples_alone = _inference(parts, dummies)
        inputs = (dummies.obs, dummies.action, dummies.z)
        value = find_value(parts, policy if knows_normal else None, inputs)
    return Calls(layout, qf1, qf2, policy, knows_normal, infers_alone, value, in_order, samples_alone)


def _layout(parts: HostParts, isolated: Callable[[], AbstractContextManager[None]]) -> ContextLayout:
    """Whether context rows end with the next observation: by the encoder's input width, or
    else by what it takes.
    """
    stated = getattr(parts.context_encoder, "input_size", None)
    flag = bool(getattr(parts.algorithm, "use_next_obs_in_context", False))
    trouble = ""
    for with_next_obs in (flag, not flag):
        layout = parts.layout(with_next_obs)
        if stated is not None:
            if layout.width == stated:
                return layout
            continue
        with isolated():
            wrong = _trouble(parts, layout.width)
        if wrong is None:
            return layout
        trouble = trouble or wrong
    if parts.context_encoder is None:
        raise UnsupportedHost(
            f"{parts.found} whose agent has no context_encoder, and whose inference can't be used"
            f" ({trouble}); expected infer_posterior(context) that sets z, or latent_posterior(context), for"
            " contexts (tasks, steps, columns)"
        )
    short, long = parts.layout(False).width, parts.layout(True).width
    raise UnsupportedHost(
        f"{parts.found} whose context encoder takes rows of {'another width' if stated is None else stated};"
        f" expected {short}: observation {parts.obs_dim}, action {parts.action_dim}, reward 1, or {long} with"
        " the next observation"
    )


def _trouble(parts: HostParts, width: int) -> str | None:
    """Why contexts of this width can't be encoded, or None if they can."""
    encoder = parts.context_encoder
    if encoder is not None:
        try:
            encoder(torch.zeros(_ROWS, width, device=parts.device))
            return None
        except _CAN_NOT_BE_CALLED:
            pass
    try:
        own = infer(parts, torch.zeros(2, 3, width, device=parts.device))
    except _CAN_NOT_BE_CALLED as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
    return None if own is not None else "it has neither infer_posterior nor latent_posterior"


def _critics(parts: HostParts, dummies: Dummies) -> list[Call]:
    inputs = (dummies.obs, dummies.action, dummies.z)
    expected = _own_minimum(parts, inputs)

    def agrees(calls: list[Call]) -> bool:
        if expected is None:
            return True
        return bool(torch.allclose(torch.min(*(call(*inputs) for call in calls)), expected, atol=1e-4))

    calls = value_calls([parts.get("qf1"), parts.get("qf2")], ("obs", "action", "z"), inputs, agrees)
    if calls is None:
        raise UnsupportedHost(
            f"{parts.found} whose qf1 and qf2 can't be called; tried qf1(obs, action, z) and joined inputs,"
            " expecting (rows, 1)"
        )
    return calls


def _own_minimum(parts: HostParts, inputs: tuple[Tensor, ...]) -> Tensor | None:
    """The host's own minimum of its critics, where it has one: it tells the order of
    inputs of critics that would take any.
    """
    own_min = getattr(parts.owner, "_min_q", None)
    try:
        return None if own_min is None else own_min(*inputs).reshape(-1, 1)
    except _CAN_NOT_BE_CALLED:
        return None


def _policy(parts: HostParts, dummies: Dummies) -> Policy:
    obs, z = dummies.obs, dummies.z
    policy = policy_call(lambda: parts.agent.policy, obs, z)
    if policy is None or (
        normal_parameters(policy(obs, z)) is None and sampled_action(policy(obs, z)) is None
    ):
        raise UnsupportedHost(
            f"{parts.found} whose policy can't be called; tried policy(obs and z joined) and policy(obs, z),"
            " expecting a tuple that begins with the action, or a distribution"
        )
    return policy


def _inference(parts: HostParts, dummies: Dummies) -> tuple[bool, bool, bool]:
    """Whether the host infers something else than the product of its encoder's Gaussians; if so, whether
    that depends on the order of a context's rows, and whether it is a sample alone."""
    own, trouble = None, "it has neither infer_posterior nor latent_posterior"
    try:
        own = _infer_from_seed(parts, dummies.context)
    except _CAN_NOT_BE_CALLED as error:  # it wants more than a context; the product has to do
        trouble = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
    product = _product(parts, dummies)
    if own is None and product is None:
        raise UnsupportedHost(
            f"{parts.found} whose encoder gives no posterior, and whose own inference can't be used"
            f" ({trouble}); expected agent.infer_posterior(context) or agent.latent_posterior(context)"
        )
    if own is None or (product is not None and not own.sampled and _alike(own[:2], product)):
        return False, False, False
    if own.mean.shape[-1] != parts.latent_dim:
        raise UnsupportedHost(
            f"{parts.found} whose inference gives {own.mean.shape[-1]} latent dimensions, and whose agent"
            f" says latent_dim={parts.latent_dim}; set it to what the policy acts on"
        )
    reverse = _infer_from_seed(parts, dummies.context.flip(1))
    return True, reverse is not None and not _alike(own[:2], reverse[:2]), own.sampled


def _infer_from_seed(parts: HostParts, context: Tensor) -> OwnPosterior | None:
    """With the same draws each time, so that samples can be compared. To be called inside `isolated`."""
    for generator in torch_generators():
        generator.manual_seed(0)
    return infer(parts, context)


def _product(parts: HostParts, dummies: Dummies) -> tuple[Tensor, Tensor] | None:
    """The product of the encoder's Gaussians; None where it gives none."""
    if parts.context_encoder is None:
        return None
    try:
        rows = parts.context_encoder(dummies.context.flatten(0, 1)).view(*dummies.context.shape[:2], -1)
        return posterior(rows, parts.latent_dim, dummies.mask)
    except _CAN_NOT_BE_CALLED:
        return None


def infer(parts: HostParts, context: Tensor) -> OwnPosterior | None:
    """What the host itself infers from contexts of one length; None if it has no inference
    that we know.
    """
    flags = [getattr(holder, "use_information_bottleneck", None) for holder in (parts.algorithm, parts.owner)]
    return own_posterior(parts.agent, context, bool(next((flag for flag in flags if flag is not None), True)))


def _alike(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> bool:
    pairs = zip(first, second)
    return all(a.shape == b.shape and torch.allclose(a.float(), b.float(), atol=1e-4) for a, b in pairs)
