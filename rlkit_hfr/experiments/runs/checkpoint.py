"""checkpoint.pt: all that a run of a built-in algorithm goes on from, so that one that was
killed ends like one that was not.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rlkit_hfr import Relabeling
from rlkit_hfr.experiments.runs.journal import check_sums, checked_rows, digest_of
from rlkit_hfr.experiments.settings.json_files import read_object
from rlkit_hfr.experiments.settings.variant import Variant, checked
from rlkit_hfr.files import load_sealed, save_sealed
from rlkit_hfr.pearl.learner import Learner
from rlkit_hfr.pearl.logger import DEBUG, PROGRESS, VARIANT, logger
from rlkit_hfr.state import State, check_alike

NAME = "checkpoint.pt"
_FORMAT = 2  # of files with a checksum; those of version 0.1.0 have none
_WITHOUT_CHECKSUM = 1
_PARTS = {"format", "variant", "algorithm", "relabeling", "logger", "generators"}
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
    "algorithm": "pearl",
    "pixel_encoder": "flat",
    "encoder_size": 200,
    "snapshots": {"snapshot_mode": "last", "snapshot_gap": 10},
}
_RELABELING_SINCE = {"precision": "auto"}


def save_checkpoint(
    run: Path,
    variant: Variant,
    algorithm: Learner,
    relabeling: Relabeling,
    keep: bool = False,
) -> None:
    """Replace a run's checkpoint, between two iterations. keep: also when the run is
    finished.
    """
    content = dict(
        format=_FORMAT,
        variant=json.dumps(variant, sort_keys=True),
        keep=keep,
        algorithm=algorithm.state_dict(),
        relabeling=relabeling.state_dict(),
        logger=logger.state_dict(),
        generators=generators(),
    )
    save_sealed(run / NAME, content)


def read_variant(run: Path) -> Variant:
    """The settings of a run's folder.

    ValueError if it has none, or those of another host.
    """
    try:
        variant = read_object(run / VARIANT)
    except OSError as error:
        raise ValueError(
            f"{run} holds no run ({error.strerror}: variant.json); "
            "give the folder that a run printed as its log"
        ) from None
    except ValueError as error:
        raise ValueError(f"{run / VARIANT} {error}; without its settings the run can't go on") from None
    missing = sorted(_NEEDED - set(variant))
    if not missing and isinstance(variant["algo_params"], dict):
        missing = sorted({"num_iterations"} - set(variant["algo_params"]))
    if missing:
        raise ValueError(
            f"{run / VARIANT} is not one of this launcher: it has no {', '.join(missing)}; "
            "only its own runs can go on"
        )
    if variant.get("host", "carried") != "carried":
        raise ValueError(f"{run} is a run of {variant['host']}, which can't be resumed; start it anew")
    try:
        return checked(_completed(variant))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{run / VARIANT}: {error}; put the original back") from None


def _completed(variant: Variant) -> Variant:
    """A recorded variant with the settings that were not recorded at its time."""
    options = variant["relabel_params"]
    if not isinstance(options, dict):
        raise ValueError(f"relabel_params must be an object of settings, got {options!r:.60}")
    return {**_SINCE, **variant, "relabel_params": {**_RELABELING_SINCE, **options}}


class Journal(NamedTuple):
    """What a run's folder says of itself. content: its checkpoint, None without one."""

    content: State | None
    finished: bool
    keep: bool = False

    @property
    def iterations_done(self) -> int:
        return 0 if self.content is None else int(self.content["algorithm"]["iterations_done"])


def is_finished(run: Path) -> bool:
    """Whether a folder holds a run with all its iterations; its checkpoint is gone
    then, unless it was to be kept.
    """
    try:
        check_sums(run)
        return checked_rows(run).number == read_variant(run)["algo_params"]["num_iterations"]
    except ValueError:
        return False


def read_journal(run: Path, variant: Variant) -> Journal:
    """A run's checkpoint, and whether the run is finished.

    ValueError if the checkpoint is damaged, foreign or missing, or if it, variant.json
    and progress.csv contradict each other.
    """
    number = variant["algo_params"]["num_iterations"]
    rows = checked_rows(run)
    if rows.number > number:
        raise ValueError(
            f"{run / PROGRESS} has {rows.number} rows and {VARIANT} names num_iterations = {number}; "
            "put the originals back, or start anew in another folder"
        )
    content = _load(run / NAME)
    if content is None:
        _check_without_checkpoint(run, rows.number, number)
        check_sums(run)
        return Journal(None, rows.number == number)
    try:
        return _checked(run, content, variant, rows.columns, rows.number)
    except (LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(
            f"{run / NAME} is damaged or not a checkpoint ({type(error).__name__}: {error}); "
            "nothing was changed; put a good copy back or start anew"
        ) from None


def _check_without_checkpoint(run: Path, rows: int, number: int) -> None:
    if rows and rows < number:
        raise ValueError(
            f"{run} has {rows} of {number} rows in {PROGRESS} but no {NAME}; put that file back, "
            "or start anew in another folder"
        )
    snapshots = sorted(file.name for file in run.glob("*.pkl"))
    if snapshots and not rows:
        raise ValueError(
            f"{run} has {', '.join(snapshots[:3])} but no {NAME} and no rows in {PROGRESS}; "
            "put those files back, or start anew in another folder"
        )


def _load(file: Path) -> State | None:
    try:
        content, sealed = load_sealed(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"can't read {file}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(
            f"{file} is damaged or not a checkpoint ({error}); nothing was changed; "
            "put a good copy back or start anew"
        ) from None
    form = content.get("format") if isinstance(content, dict) else None
    if type(form) is not int or form != (_FORMAT if sealed else _WITHOUT_CHECKSUM):
        raise ValueError(
            f"{file} is not a checkpoint of this version (format {_FORMAT}); nothing was changed; "
            "start anew in another folder"
        )
    missing = sorted(_PARTS - set(content))
    if missing:
        raise ValueError(
            f"{file} is damaged: it has no {', '.join(missing)}; nothing was changed; "
            "put a good copy back or start anew"
        )
    return dict(content)


def _checked(run: Path, content: State, variant: Variant, columns: list[str] | None, rows: int) -> Journal:
    if _completed(json.loads(content["variant"])) != variant:
        raise ValueError(
            f"{run / VARIANT} has other settings than {NAME} was written with; put the original back"
        )
    number, done = variant["algo_params"]["num_iterations"], content["algorithm"]["iterations_done"]
    if type(done) is not int or not 0 <= done <= number:
        raise ValueError(f"{run / NAME} counts {done!r} of {number} iterations; put a good copy back")
    if rows < done:
        raise ValueError(
            f"{run / PROGRESS} has {rows} rows, fewer than the {done} iterations that {NAME} counts; "
            "put the whole file back, or start anew"
        )
    if rows > done + 1:  # one may be written when its checkpoint is not
        raise ValueError(
            f"{run / PROGRESS} has {rows} rows, and {NAME} was written after {done} iterations; "
            "put the originals back, or start anew"
        )
    if done and columns != content["logger"]["columns"]:
        raise ValueError(
            f"{run / PROGRESS} has other columns than {NAME} was written with; put the original back"
        )
    if set(content["logger"]) & {"sizes"} and set(content["logger"]["sizes"]) != {PROGRESS, DEBUG}:
        raise ValueError(f"{run / NAME} speaks of other files than {PROGRESS} and {DEBUG}; start anew")
    if done == number:
        check_sums(run)
        if content["logger"].get("progress_sha256", digest := digest_of(run / PROGRESS)) != digest:
            raise ValueError(
                f"{run / PROGRESS} is not the file that {NAME} was written with; put the original back"
            )
    return Journal(content, done == number, bool(content.get("keep", False)))


def restore(content: State, algorithm: Learner, relabeling: Relabeling) -> None:
    """Put an algorithm, its relabeling, the global generators and at last the logger
    where the checkpoint was written.

    ValueError if it does not fit them; no file was touched then.
    """
    with _fitting():
        _restore_parts(content, algorithm, relabeling)
        set_generators(content["generators"])
        logger.load_state_dict(content["logger"])


def restore_algorithm(content: State, algorithm: Learner, relabeling: Relabeling) -> None:
    """Put an algorithm and its relabeling alone where the checkpoint was written.

    ValueError if it does not fit them.
    """
    with _fitting():
        _restore_parts(content, algorithm, relabeling)


def _restore_parts(content: State, algorithm: Learner, relabeling: Relabeling) -> None:
    for name, part in (("algorithm", algorithm), ("relabeling", relabeling)):
        check_alike(content[name], part.state_dict(), name)
    algorithm.load_state_dict(content["algorithm"])
    relabeling.load_state_dict(content["relabeling"])


@contextmanager
def _fitting() -> Iterator[None]:
    """ValueError in one line for whatever does not fit within the block."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError, OSError):
        raise
    except Exception as error:  # each part has its own words for what does not fit
        if type(error) is ValueError and "checkpoint" in str(error):
            raise
        what = str(error).splitlines()[0] if str(error) else "nothing more is known"
        raise ValueError(
            f"{NAME} does not fit the run ({type(error).__name__}: {what[:200]}); no file was changed; "
            "put a good copy back, or start anew"
        ) from None


def generators() -> State:
    """Where Python's, numpy's and torch's global generators stand."""
    legacy: Any = np.random.get_state(legacy=True)  # noqa: NPY002 (users' environments may draw from it)
    name, keys, *rest = legacy
    # A run on the CPU is to take no memory of GPUs, which asking for their generators would.
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return dict(
        python=random.getstate(), numpy=[name, keys.tolist(), *rest], torch=torch.get_rng_state(), cuda=cuda
    )


def set_generators(state: State) -> None:
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
