"""Whether a host's code runs in half precision, told by a trial."""

from __future__ import annotations

import torch
from torch import Tensor

from rlkit_hfr.hosts.calling import HostNetworks
from rlkit_hfr.hosts.conventions import normal_parameters
from rlkit_hfr.hosts.errors import UnsupportedHost
from rlkit_hfr.hosts.isolation import isolated
from rlkit_hfr.hosts.probing import make_dummies
from rlkit_hfr.precision import check_precision, uses_bfloat16


def compute_in(networks: HostNetworks, precision: str, with_value: bool) -> None:
    """Let scoring call the networks in this precision from now on; "auto" stays in single
    where the processor or the host's code is not made for half.

    with_value: whether V will be asked for. Raises UnsupportedHost if "bf16" was asked for and does not work.
    """
    networks.half = False
    if not uses_bfloat16(check_precision(precision), networks.device):
        return
    single = _trial(networks, with_value)
    networks.half = True
    try:
        half = _trial(networks, with_value)
        alike = all((a - b).abs().max() <= 0.1 * a.abs().max() + 0.01 for a, b in zip(single, half))
        trouble = "" if alike else "their outputs differ by more than a tenth from those in fp32"
    except Exception as error:  # the host's code may do anything
        trouble = f"{type(error).__name__} {error}".splitlines()[0]
    networks.half = not trouble
    if trouble and precision != "auto":
        found = networks.parts.found
        raise UnsupportedHost(
            f"{found} whose networks don't run in {precision}: {trouble}; choose precision='fp32'"
        )


def _trial(networks: HostNetworks, with_value: bool) -> list[Tensor]:
    """Everything that scoring computes, for dummy rows and without noise."""
    parts, calls = networks.parts, networks.calls

    def silence(*shape: int) -> Tensor:
        return torch.zeros(*shape, device=parts.device)

    with isolated(parts.modules(), parts.agent, 0), networks.autocast(False):
        dummies = make_dummies(parts, calls.layout)
        outputs = [*networks.posterior(dummies.context, dummies.mask)]
        outputs += networks.critics(dummies.obs, dummies.action, dummies.z)
        if with_value:
            outputs.append(networks.value(dummies.obs, dummies.z, silence))
        actions = networks.action(dummies.obs, dummies.z, silence)
        if calls.knows_normal and normal_parameters(networks.policy_output(dummies.obs, dummies.z)) is None:
            raise ValueError("the policy's mean and deviation can't be told")
    return [*outputs, actions] if calls.knows_normal else outputs  # what a host samples by itself may differ
