"""Where matrix products are computed in half precision."""

from __future__ import annotations

import torch

PRECISIONS = ("fp32", "bf16", "auto")


def check_precision(name: str) -> str:
    if name not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {name!r}")
    return name


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16. "auto" does where it pays: on processors with
    instructions for it (AMX, AVX512-BF16).
    """
    if precision == "auto":
        # not in every version
        found = (
            getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        )
        return device.type == "cpu" and any(has_it() for has_it in found if has_it is not None)
    return precision == "bf16"
