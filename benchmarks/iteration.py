"""A whole iteration of the paper's presets: ``python benchmarks/iteration.py``, or some:
``--env ant-goal sawyer-push``.

Collection, evaluation and relabeling are those of a whole iteration; of the updates a
part is run and scaled to their number. The share of relabeling is what `attach` costs.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

from env_wrappers import ENVIRONMENTS
from rlkit_hfr.experiments.runs.build import attach_relabeler, build_algorithm, pick_device
from rlkit_hfr.experiments.settings.presets import preset
from rlkit_hfr.experiments.settings.variant import build_variant

_PRECISIONS: dict[str, list[str]] = {
    "fp32": ["relabel_params.precision=fp32"],
    "auto": ["relabel_params.precision=auto"],  # updates in single precision, scoring in what pays
    "bf16": ["algo_params.precision=bf16", "relabel_params.precision=bf16"],
}


def phases(
    env: str, relabeler: str, of: str, updates: int, settings: list[str], device: torch.device
) -> dict[str, float]:
    """Seconds of each phase of an iteration of the preset `of`, of whose updates so many are run."""
    small = [f"num_train_steps_per_itr={updates}", "num_iterations=2", "num_initial_steps=200"]
    rows: list[dict[str, Any]] = []
    variant = build_variant(env, relabeler, of, None, [*small, *settings], 0)
    algorithm = build_algorithm(variant, device, on_epoch_end=rows.append)
    attach_relabeler(algorithm, variant)
    algorithm.train()
    row = rows[1]  # the first has the initial data
    relabeling = row["relabel/time (s)"]
    return {
        "updates": row["Train Time (s)"] * preset(env, of)["num_train_steps_per_itr"] / updates,
        "collection": row["Sample Time (s)"] - relabeling, "evaluation": algorithm._previous_eval_time,
        "relabeling": relabeling,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", nargs="+", default=list(ENVIRONMENTS))
    parser.add_argument("--relabeler", default="hfr")
    parser.add_argument("--updates", type=int, default=20, help="updates that are run and scaled")
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=_PRECISIONS,
        default=list(_PRECISIONS),
        help="of updates and scoring",
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    device = pick_device(args.device)
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, on {device}, relabeler"
        f" {args.relabeler}\n"
    )
    print(
        "| preset | precision | updates | collection | evaluation | relabeling | its share"
        " |\n|---|---|---|---|---|---|---|"
    )
    for env in args.env:
        for precision in args.precision:
            seconds = phases(env, args.relabeler, "paper", args.updates, _PRECISIONS[precision], device)
            cells = " | ".join(f"{value:.1f} s" for value in seconds.values())
            share = seconds["relabeling"] / sum(seconds.values())
            print(f"| `{env}` | {precision} | {cells} | {share:.1%} |", flush=True)


if __name__ == "__main__":
    main()
