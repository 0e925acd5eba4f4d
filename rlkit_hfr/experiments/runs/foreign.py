"""Our environments and presets on the unmodified public algorithms: a checkout of
oyster or of Berkeley's rlkit.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from rlkit_hfr.experiments.runs.build import attach_relabeler, build_env, seed_everything
from rlkit_hfr.experiments.runs.checkouts import import_host
from rlkit_hfr.experiments.settings.machine import machine
from rlkit_hfr.experiments.settings.variant import Variant
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.pearl.writers import RowWriter, as_number, make_row_writers
from rlkit_hfr.protocols import HostAlgorithm, Spaces, TaskFamily

# Ours that oyster's and rlkit's algorithms do not have.
_OURS_ALONE = {
    "entropy_weight",
    "eval_sampled",
    "initial_stickiness",
    "lr_end_factor",
    "min_embedding_batch_size",
    "num_envs",
    "num_train_tasks_eval",
    "precision",
    "step_threads",
}


def ignored_settings(settings: Mapping[str, object]) -> list[str]:
    """Settings that somebody changed and that oyster and rlkit do not have, but for those
    of speed and of the entropy weight, which is put into the rewards.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(PEARLConfig)}
    without_effect = _OURS_ALONE - {"entropy_weight", "num_envs", "precision", "step_threads"}
    return sorted(name for name in without_effect if settings[name] != defaults[name])


class ForeignAlgorithm(HostAlgorithm, Protocol):
    def to(self, device: torch.device) -> object: ...
    def train(self) -> object: ...


def build_foreign(host: str, variant: Variant, device: torch.device) -> ForeignAlgorithm:
    """The host's own PEARL on our environment with the variant's settings.

    `import_host` must have run.
    """
    seed_everything(variant["seed"])
    env: TaskFamily = build_env(variant)
    tasks = list(env.get_all_task_idx())
    train, test = tasks[: variant["n_train_tasks"]], tasks[-variant["n_eval_tasks"] :]
    settings = {key: value for key, value in variant["algo_params"].items() if key not in _OURS_ALONE}
    settings |= dict(embedding_mini_batch_size=settings["embedding_batch_size"], update_post_train=1)
    settings |= _with_entropy_weight_one(variant["algo_params"])
    if settings["sparse_rewards"]:
        raise ValueError(
            f"--host {host} can't run {variant['env_name']}: "
            "its evaluation of sparse rewards fails on numpy 2; use --host carried"
        )
    importlib.import_module("rlkit.torch.pytorch_util").set_gpu_mode(device.type == "cuda")
    algorithm = _BUILDERS[host](env, train, test, variant, settings)
    algorithm.to(device)
    return algorithm


def _with_entropy_weight_one(settings: Variant) -> dict[str, float]:
    """The reward scale and KL weight that mean the same on a host whose entropy weight is 1.

    Values and entropy are divided by the weight, and with them the critic's loss by its
    square, against which the KL is weighed. A weight of 0 has no such form: ValueError.
    """
    weight = settings["entropy_weight"]
    if weight == 0.0:
        raise ValueError("entropy_weight must be positive on a host, got 0; its own weight is always 1")
    return dict(reward_scale=settings["reward_scale"] / weight, kl_lambda=settings["kl_lambda"] / weight**2)


def _sizes(env: Spaces, variant: Variant, settings: Variant) -> tuple[int, int, int, int, list[int]]:
    obs, action = (int(np.prod(space.shape)) for space in (env.observation_space, env.action_space))
    row = obs + action + 1 + (obs if settings["use_next_obs_in_context"] else 0)
    return obs, action, variant["latent_size"], row, [variant["net_size"]] * 3


def _build_oyster(
    env: TaskFamily, train: list[int], test: list[int], variant: Variant, settings: Variant
) -> ForeignAlgorithm:
    networks = importlib.import_module("rlkit.torch.networks")
    obs, action, latent, row, hidden = _sizes(env, variant, settings)
    settings |= dict(recurrent=False, dump_eval_paths=False)
    width = latent * (2 if settings["use_information_bottleneck"] else 1)
    encoder = networks.MlpEncoder(
        hidden_sizes=[variant["encoder_size"]] * 3, input_size=row, output_size=width
    )
    critics = [
        networks.FlattenMlp(hidden_sizes=hidden, input_size=obs + action + latent, output_size=1)
        for _ in range(2)
    ]
    value = networks.FlattenMlp(hidden_sizes=hidden, input_size=obs + latent, output_size=1)
    policy_class = importlib.import_module("rlkit.torch.sac.policies").TanhGaussianPolicy
    policy = policy_class(hidden_sizes=hidden, obs_dim=obs + latent, latent_dim=latent, action_dim=action)
    agent = importlib.import_module("rlkit.torch.sac.agent").PEARLAgent(latent, encoder, policy, **settings)
    algorithm = importlib.import_module("rlkit.torch.sac.sac").PEARLSoftActorCritic
    return algorithm(
        env=env,
        train_tasks=train,
        eval_tasks=test,
        nets=[agent, *critics, value],
        latent_dim=latent,
        **settings,
    )


def _build_rlkit(
    env: TaskFamily, train: list[int], test: list[int], variant: Variant, settings: Variant
) -> ForeignAlgorithm:
    obs, action, latent, row, hidden = _sizes(env, variant, settings)
    mlp = importlib.import_module("rlkit.torch.networks").ConcatMlp
    smac = importlib.import_module("rlkit.torch.smac.networks")
    policy_class = importlib.import_module("rlkit.torch.sac.policies").TanhGaussianPolicy
    critics = [mlp(hidden_sizes=hidden, input_size=obs + action + latent, output_size=1) for _ in range(2)]
    value = mlp(hidden_sizes=hidden, input_size=obs + latent, output_size=1)
    policy = policy_class(hidden_sizes=hidden, obs_dim=obs + latent, action_dim=action)
    encoder = smac.MlpEncoder(
        hidden_sizes=[variant["encoder_size"]] * 3, input_size=row, output_size=2 * latent
    )
    decoder = smac.MlpDecoder(hidden_sizes=[64, 64], input_size=obs + action + latent, output_size=1)
    next_obs = settings["use_next_obs_in_context"]
    agent = importlib.import_module("rlkit.torch.smac.agent").SmacAgent(
        latent, encoder, policy, decoder, use_next_obs_in_context=next_obs
    )
    trainer_class = importlib.import_module("rlkit.torch.smac.pearl").PEARLSoftActorCriticTrainer
    of_trainer = {name: settings.pop(name) for name in _TRAINER_SETTINGS}
    trainer = trainer_class(
        latent_dim=latent,
        agent=agent,
        qf1=critics[0],
        qf2=critics[1],
        vf=value,
        reward_predictor=decoder,
        context_encoder=encoder,
        context_decoder=decoder,
        reward_scale=settings.pop("reward_scale"),
        discount=settings["discount"],
        **of_trainer,
    )
    algorithm = importlib.import_module("rlkit.core.meta_rl_algorithm").MetaRLAlgorithm
    descriptions = {"train_tasks": [env.tasks[i] for i in train], "eval_tasks": [env.tasks[i] for i in test]}
    return algorithm(
        env=env,
        agent=agent,
        trainer=trainer,
        train_task_indices=train,
        eval_task_indices=test,
        **descriptions,
        **settings,
    )


_TRAINER_SETTINGS = (
    "policy_lr",
    "qf_lr",
    "vf_lr",
    "context_lr",
    "kl_lambda",
    "policy_mean_reg_weight",
    "policy_std_reg_weight",
    "use_information_bottleneck",
    "soft_target_tau",
)
_BUILDERS: dict[str, Callable[..., ForeignAlgorithm]] = {"oyster": _build_oyster, "rlkit": _build_rlkit}


def setup_foreign_logger(log_dir: Path, variant: Variant, snapshot_mode: str, snapshot_gap: int) -> Any:
    """Point the host's own logger at a run folder; it writes progress.csv, debug.log,
    variant.json and snapshots by itself.
    """
    logger = importlib.import_module("rlkit.core").logger
    logger.log_variant(str(log_dir / "variant.json"), variant)
    logger.add_text_output(str(log_dir / "debug.log"))
    logger.add_tabular_output(str(log_dir / "progress.csv"))
    logger.set_snapshot_dir(str(log_dir))
    logger.set_snapshot_mode(snapshot_mode)
    logger.set_snapshot_gap(snapshot_gap)
    return logger


def copy_rows(host_logger: Any, writers: Iterable[RowWriter]) -> None:
    """Copy each row that a host's logger dumps to `writers` as well."""
    dump = host_logger.dump_tabular

    def dump_and_copy(*args: object, **options: object) -> None:
        row = {key: as_number(value) for key, value in host_logger.get_table_dict().items()}
        dump(*args, **options)
        for writer in writers:
            writer.write(row)

    host_logger.dump_tabular = dump_and_copy


class ForeignRun:
    """A host's own algorithm with our relabeler attached.

    Its loop is its own: Ctrl-C stops it at once, and it can't be resumed.
    """

    def __init__(
        self, host: str, path: Path | None, variant: Variant, device: torch.device, threads: int
    ) -> None:
        self.device = device
        if variant["pixel_encoder"] != "flat" or variant["env_name"] == "visual-reacher":
            raise ValueError(
                f"--host {host}: its networks do not take images; run visual-reacher on the built-in PEARL"
            )
        self._placeholders = import_host(host, path)
        self._algorithm = build_foreign(host, variant, device)
        relabeling = attach_relabeler(self._algorithm, variant)
        self._writers = make_row_writers(variant.get("log", ()))
        self.machine = machine(device, threads, updates="fp32", scoring=relabeling.precision)
        self.variant = {**variant, "host": host, "machine": self.machine}

    def start(self, folder: Path) -> None:
        self._folder = folder
        host_logger = setup_foreign_logger(folder, self.variant, **self.variant["snapshots"])
        for writer in self._writers:
            writer.open(folder, self.variant, [])
        copy_rows(host_logger, self._writers)
        ignored = ignored_settings(self.variant["algo_params"])
        if ignored:
            host_logger.log(f"{self.variant['host']} has no {', '.join(ignored)}; these settings do nothing")
        if self._placeholders:
            names = ", ".join(self._placeholders)
            host_logger.log(
                f"empty placeholder modules stand in for {names}, "
                f"which {self.variant['host']} imports and this run does not use"
            )

    def train(self) -> int:
        print(f"Log: {self._folder}", flush=True)
        try:
            self._algorithm.train()
        except KeyboardInterrupt:
            print("\nInterrupted.", file=sys.stderr)
            return 130
        finally:
            for writer in self._writers:
                writer.close()
        return 0
