"""What no relabeler can be attached to, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlkit_hfr.buffers.relabeling_buffer import RelabelingMixin
from rlkit_hfr.hosts.errors import UnsupportedHost
from rlkit_hfr.protocols import HostAlgorithm
from rlkit_hfr.state import plain_indices


def refuse(algorithm: HostAlgorithm, found: str, family: str, missing: Sequence[str]) -> None:
    """UnsupportedHost unless a relabeler can be attached. found: how messages begin; family: the name of
    what it is taken for; missing: what that family needs and the algorithm lacks.
    """
    if hasattr(algorithm, "relabel_method"):  # michaelwan11/hfr: rlkit/core/rl_algorithm.py
        raise UnsupportedHost(
            f"{found}, which relabels by itself (relabel_method); attach to a PEARL without relabeling,"
            " such as oyster"
        )
    # rlkit: core/meta_rl_algorithm.py, stores paths without a task
    if getattr(algorithm, "use_meta_learning_buffer", False):
        raise UnsupportedHost(
            f"{found} with use_meta_learning_buffer=True, which stores paths without their task; set it"
            " to False"
        )
    if missing:
        raise UnsupportedHost(
            f"{found} without {', '.join(missing)}; expected a PEARL algorithm ({family} family)"
        )
    for name in ("observation_space", "action_space"):
        if not getattr(getattr(algorithm.env, name, None), "shape", None):
            raise UnsupportedHost(
                f"{found} whose env has no {name} with a shape; expected continuous observations and"
                " actions (gym's Box)"
            )
    if getattr(algorithm.agent, "policy", None) is None:
        raise UnsupportedHost(f"{found} whose agent has no policy; expected one that acts on z")
    for name in ("replay_buffer", "enc_replay_buffer"):
        buffer = getattr(algorithm, name)
        if not isinstance(getattr(buffer, "task_buffers", None), dict):
            raise UnsupportedHost(
                f"{found} whose {name} has no task_buffers; expected one buffer per task, by task index"
            )
        if isinstance(buffer, RelabelingMixin) and buffer.is_relabeling:
            raise UnsupportedHost(
                f"{found}, to which a relabeler is attached already; call its detach() first"
            )


def task_ids(algorithm: HostAlgorithm, found: str) -> list[int]:
    """The training tasks' indices: rlkit keeps descriptions in `train_tasks` and
    indices in `train_task_indices`.
    """
    indices = getattr(algorithm, "train_task_indices", None)
    tasks = list(algorithm.train_tasks if indices is None else indices)
    keys = algorithm.replay_buffer.task_buffers
    unknown = [task for task in tasks if not isinstance(task, (int, np.integer)) or task not in keys]
    if unknown or not tasks:
        raise UnsupportedHost(
            f"{found} whose training tasks {unknown[:3] if unknown else 'are none'} are no keys of"
            f" replay_buffer.task_buffers ({list(keys)[:3]}...); expected task indices in"
            " train_task_indices or train_tasks"
        )
    return plain_indices(tasks)
