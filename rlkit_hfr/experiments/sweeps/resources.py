"""What each run of a comparison is given: a device, and on a cluster GPUs, memory and an
account.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

import torch

from rlkit_hfr.experiments.runs.build import pick_device

_MOST_SEEDS = 10_000
_MOST_GPUS, _MOST_GIGABYTES = 64, 100_000


@dataclass(frozen=True, kw_only=True)
class Resources:
    """device: "cpu" or "cuda". gpus: of one run, on Ray or SLURM. memory: of one run, in
    GB, None for the cluster's default. account: that SLURM charges.
    """

    device: str
    gpus: int = 0
    memory: float | None = None
    account: str | None = None


def chosen_seeds(args: argparse.Namespace) -> list[int]:
    """``--seeds N`` are 0 to N-1, ``--seed-list`` names them. ValueError for others."""
    if args.seed_list is None:
        if args.seeds < 1:
            raise ValueError(f"--seeds must be positive, got {args.seeds}")
        if args.seeds > _MOST_SEEDS:
            raise ValueError(f"--seeds must be at most {_MOST_SEEDS:,}, got {str(args.seeds)[:40]}")
        return list(range(args.seeds))
    seeds: list[int] = args.seed_list
    if len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"--seed-list takes distinct numbers, zero or more, got {' '.join(map(str, seeds))}")
    return seeds


def resources_of(args: argparse.Namespace) -> Resources:
    """What the command line asks for. ValueError for what does not fit together."""
    on_cluster = args.ray is not None or args.slurm is not None
    for name in ("gpus", "memory", "account"):
        if getattr(args, name) is not None and not on_cluster:
            raise ValueError(f"--{name} is for --ray or --slurm; local runs take --device and --jobs")
    if args.account is not None and args.slurm is None:
        raise ValueError("--account is for --slurm")
    if not on_cluster:
        return Resources(device=pick_device(args.device).type)
    if args.gpus is not None and not 0 <= args.gpus <= _MOST_GPUS:
        raise ValueError(f"--gpus must be between 0 and {_MOST_GPUS}, got {args.gpus}")
    if args.memory is not None and not 0 < args.memory <= _MOST_GIGABYTES:
        raise ValueError(f"--memory is in GB, positive and at most {_MOST_GIGABYTES:,}, got {args.memory}")
    gpus = int(args.device == "cuda") if args.gpus is None else args.gpus
    device = args.device if args.device != "auto" else "cuda" if gpus else "cpu"
    if (device == "cuda") != (gpus > 0):
        raise ValueError(
            f"--device {device} with --gpus {gpus}: a run on cuda needs a GPU, and one on cpu none"
        )
    return Resources(device=device, gpus=gpus, memory=args.memory, account=args.account)


def visible_gpus() -> list[str]:
    """The GPUs of this machine, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named:
        return [name.strip() for name in named.split(",")]
    return [str(i) for i in range(torch.cuda.device_count())]
