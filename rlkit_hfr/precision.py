"""Where matrix products are computed in half precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from rlkit_hfr.checks import one_of

PRECISIONS = ("fp32", "bf16", "auto")


def check_precision(name: object) -> str:
    return one_of("precision", name, PRECISIONS)


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16. "auto" does where it pays: on processors with
    instructions for it (AMX, AVX512-BF16).
    """
    if precision == "auto":
        # not in every version
        found = (
            getattr(getattr(torch, "cpu", None), name, None)
            for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        )
        return device.type == "cpu" and any(has_it() for has_it in found if has_it is not None)
    return precision == "bf16"


def autocast(device: torch.device, half: bool) -> AbstractContextManager[object]:
    """Matrix products in bfloat16 within the block or, if not `half`, in the precision of
    their inputs. RuntimeError if this torch has no bfloat16 products: they came with 1.10.
    """
    if hasattr(torch, "autocast"):
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=half)
    if half:
        raise RuntimeError(f"torch {torch.__version__} is too old for bfloat16, which needs 1.10 or newer")
    return torch.cuda.amp.autocast(enabled=False) if device.type == "cuda" else nullcontext()
