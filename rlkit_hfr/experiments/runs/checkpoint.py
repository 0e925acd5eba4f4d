"""checkpoint.pt: all that a run of the carried PEARL goes on from, so that one that was
killed ends like one that was not.
"""
from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

try:
    import fcntl
except ImportError:  # not on Windows, where folders go without a lock
    fcntl = None  # type: ignore[assignment]

from rlkit_hfr import Relabeling
from rlkit_hfr.experiments.settings.variant import Variant
from rlkit_hfr.pearl.logger import logger, save_atomically
from rlkit_hfr.pearl.sac import PEARLSoftActorCritic
from rlkit_hfr.state import State

NAME = "checkpoint.pt"
_FORMAT = 1
_NEEDED = {
    "algo_params",
    "relabel_params",
    "env_params",
    "env_name",
    "relabeler",
    "seed",
    "n_train_tasks",
    "n_eval_tasks",
    "latent_size",
    "net_size",
}

# What held for runs from before these settings were recorded.
_SINCE = {
    "pixel_encoder": "flat",
    "encoder_size": 200,
    "snapshots": {"snapshot_mode": "last", "snapshot_gap": 10},
}
_RELABELING_SINCE = {"precision": "auto"}


@contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """Within the block no other process may train in this folder.

    ValueError if one does.
    """
    if fcntl is None:
        yield
        return
    with open(run / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"another process is training in {run}; wait for it, or stop it") from None
        try:
            yield  # the system lets go of the lock when the process ends, however it ends
        finally:
            (run / "lock").unlink(missing_ok=True)


def save_checkpoint(
    run: Path, variant: Variant, algorithm: PEARLSoftActorCritic, relabeling: Relabeling
) -> None:
    """Replace a run's checkpoint, between two iterations."""
    content = dict(format=_FORMAT, variant=json.dumps(variant, sort_keys=True), algorithm=algorithm.state_dict(),
                   relabeling=relabeling.state_dict(), logger=logger.state_dict(), generators=_generators())  # fmt: skip
    save_atomically(run / NAME, content)


def read_variant(run: Path) -> Variant:
    """The settings of a run's folder.

    ValueError if it has none, or those of another host.
    """
    try:
        variant = json.loads((run / "variant.json").read_text())
    except OSError as error:
        raise ValueError(
            f"{run} holds no run ({error.strerror}: variant.json); "
            "give the folder that a run printed as its log"
        ) from None
    except ValueError as error:
        raise ValueError(
            f"{run / 'variant.json'} is not valid JSON ({error}); without its settings the run can't go on"
        ) from None
    missing = sorted(_NEEDED - set(variant)) if isinstance(variant, dict) else sorted(_NEEDED)
    if missing:
        raise ValueError(
            f"{run / 'variant.json'} is not one of this launcher: it has no {', '.join(missing)}; "
            "only its own runs can go on"
        )
    if variant.get("host", "carried") != "carried":
        raise ValueError(f"{run} is a run of {variant['host']}, which can't be resumed; start it anew")
    return _completed(variant)


def _completed(variant: Variant) -> Variant:
    """A recorded variant with the settings that were not recorded at its time."""
    return {**_SINCE, **variant, "relabel_params": {**_RELABELING_SINCE, **variant["relabel_params"]}}


def rows_written(run: Path) -> int:
    """The complete rows of a run's progress.csv: a last one that does not end is none."""
    try:
        lines = (run / "progress.csv").read_text().split("\n")[:-1]
    except OSError:
        return 0
    return max(0, len(lines) - 1)


def is_finished(run: Path) -> bool:
    """Whether a folder holds a run with all its iterations; its checkpoint is gone
    then, unless it was to be kept.
    """
    try:
        return rows_written(run) >= read_variant(run)["algo_params"]["num_iterations"]
    except ValueError:
        return False


def load_checkpoint(run: Path, variant: Variant) -> State | None:
    """A run's checkpoint; None if it was stopped before it had one.

    ValueError if it is damaged, foreign or missing.
    """
    file = run / NAME
    if not file.exists():
        if rows_written(run):
            raise ValueError(
                f"{run} has rows in progress.csv but no {NAME}; put that file back, "
                "or start anew in another folder"
            )
        return None
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"can't read {file}: {error.strerror}") from None
    except (
        Exception
    ) as error:  # torch raises whatever a damaged archive or a forbidden object happens to trip
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{file} is damaged or not a checkpoint ({reason[:120]}); nothing was changed; "
            "put a good copy back or start anew"
        ) from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(
            f"{file} is not a checkpoint of this version (format {_FORMAT}); nothing was changed; "
            "start anew in another folder"
        )
    if _completed(json.loads(content["variant"])) != variant:
        raise ValueError(
            f"{run / 'variant.json'} has other settings than {NAME} was written with; put the original back"
        )
    return content


def restore(content: State, algorithm: PEARLSoftActorCritic, relabeling: Relabeling) -> None:
    """Put an algorithm, its relabeling, the logger and the global generators where the
    checkpoint was written.
    """
    logger.load_state_dict(content["logger"])
    algorithm.load_state_dict(content["algorithm"])
    relabeling.load_state_dict(content["relabeling"])
    _set_generators(content["generators"])


def _generators() -> State:
    legacy: Any = np.random.get_state(legacy=True)  # noqa: NPY002 (users' environments may draw from it)
    name, keys, *rest = legacy
    # A run on the CPU is to take no memory of GPUs, which asking for their generators would.
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return dict(
        python=random.getstate(), numpy=[name, keys.tolist(), *rest], torch=torch.get_rng_state(), cuda=cuda
    )


def _set_generators(state: dict[str, Any]) -> None:
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
