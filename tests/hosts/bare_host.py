"""The host's own launcher on its own point robot, with a relabeler attached: a few seconds of real training.

``python tests/hosts/bare_host.py oyster|rlkit PATH RELABELER``. It needs the plugin and
what the host itself needs, so that it runs in the environments that hosts live in.
Nothing of the host is edited; the exit code is 0 if the log has what relabeling says.
"""

from __future__ import annotations

import csv
import importlib
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable

import rlkit_hfr

ALGORITHM = dict(
    num_iterations=3,
    num_initial_steps=60,
    num_tasks_sample=3,
    num_steps_prior=60,
    num_extra_rl_steps_posterior=60,
    num_train_steps_per_itr=10,
    num_evals=1,
    num_steps_per_eval=40,
    max_path_length=20,
    meta_batch=4,
    batch_size=32,
    embedding_batch_size=64,
    embedding_mini_batch_size=64,
)
TASKS = dict(env_name="point-robot", env_params=dict(n_tasks=8), n_train_tasks=6, n_eval_tasks=2)


def relabeled(cls: Any, relabeler: str) -> Callable[..., Any]:
    """`cls`, whose new objects relabel."""

    def build(**options: Any) -> Any:
        algorithm = cls(**options)
        rlkit_hfr.attach(algorithm, relabeler, seed=1, relabel_fraction=1.0)
        return algorithm

    return build


def train_oyster(relabeler: str) -> None:
    launcher = importlib.import_module("launch_experiment")
    launcher.PEARLSoftActorCritic = relabeled(launcher.PEARLSoftActorCritic, relabeler)
    settings = {**launcher.default_config, **TASKS, "net_size": 32}
    settings["algo_params"] = {**settings["algo_params"], **ALGORITHM}
    settings["util_params"] = {**settings["util_params"], "use_gpu": False, "base_log_dir": "output"}
    launcher.experiment(settings)


def train_rlkit(relabeler: str) -> None:
    launcher = importlib.import_module("rlkit.torch.smac.pearl_launcher")
    launcher.MetaRLAlgorithm = relabeled(launcher.MetaRLAlgorithm, relabeler)
    importlib.import_module("rlkit.launchers.launcher_util").setup_logger(
        "point-robot", variant={}, base_log_dir="output"
    )
    networks = ("qf_kwargs", "vf_kwargs", "policy_kwargs", "context_decoder_kwargs")
    sizes = {name: dict(hidden_sizes=[32, 32]) for name in networks}
    launcher.pearl_experiment(latent_dim=5, algo_kwargs=dict(ALGORITHM), **sizes, **TASKS)


def main(host: str, path: str, relabeler: str) -> int:
    sys.path.insert(0, str(Path(path).resolve()))
    rlkit_hfr.stand_in()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        {"oyster": train_oyster, "rlkit": train_rlkit}[host](relabeler)
        (log,) = Path("output").glob("**/progress.csv")
        with log.open() as file:
            rows = list(csv.DictReader(file))
        os.chdir("/")
    seen = [float(row["relabel/paths relabeled"]) for row in rows]
    utility = float(rows[-1]["relabel/utility Mean"])
    print(f"{host} {relabeler}: {len(rows)} rows, {seen} paths relabeled, mean utility {utility:.3g}")
    return 0 if len(rows) == 3 and seen[-1] > 0 and math.isfinite(utility) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
