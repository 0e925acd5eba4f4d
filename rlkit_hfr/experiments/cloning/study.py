"""Labellers against each other: a policy cloned for each labeller and seed, and what it earns on test tasks.

Each result is a file of its own, so that a study that was stopped goes on with what is missing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict, cast

import numpy as np
import torch

from rlkit_hfr.experiments.cloning.demonstrations import (
    DemonstratedFamily,
    Demonstrations,
    of_agent,
    require_expert,
    roll_out,
    scripted,
)
from rlkit_hfr.experiments.cloning.labels import REFERENCES, Labelled, label, labeller_of
from rlkit_hfr.experiments.cloning.learner import CloningSettings, clone
from rlkit_hfr.experiments.runs.build import build_env, records_sparse_rewards
from rlkit_hfr.experiments.runs.checkpoint import read_variant
from rlkit_hfr.experiments.settings.draft import Variant
from rlkit_hfr.experiments.settings.json_files import JsonObject, load_object
from rlkit_hfr.experiments.settings.limits import check_options
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.files import write_text
from rlkit_hfr.paths import PathDict, info_column, recorded_rewards

LABELLERS = ("agnostic", "random", "return", "final-state", "hipi-trajectory", "true")
_SUM = "sha256"  # of a result's own figures
_FIGURES = ("epochs", "held_out_error", "return", "success", "true_labels", "return_under_label")
_MAY_LACK = ("success", "true_labels", "return_under_label")  # figures that are null where there are none
_ADVICE = "choose another --output"
_MOST = 1_000_000  # of seeds, demonstrations and episodes
_REPETITIONS = 2000


Figure = Literal["return", "success", "true_labels", "return_under_label", "epochs"]
# one policy and what it earned; None for a figure that its family or its labels do not have
Result = TypedDict(
    "Result",
    {
        "labeller": str,
        "seed": int,
        "epochs": int,
        "held_out_error": float,
        "return": float,
        "success": float | None,
        "true_labels": float | None,
        "return_under_label": float | None,
    },
)


@dataclass(frozen=True, kw_only=True)
class Study:
    """Settings of a study. env: a task family, at its quick preset; run: folder of the run whose agent
    demonstrates, None for the family's scripted expert; assignments: "key=value" of the family's settings."""

    env: str
    labellers: Sequence[str] = LABELLERS
    options: dict[str, object] = field(default_factory=dict)  # of all labellers that have them
    seeds: int = 5
    demonstrations: int = 1000
    episodes: int = 200  # in which a policy is evaluated
    noise: float = 0.3  # on the actions of a scripted expert, in units of actions
    run: str | None = None
    assignments: Sequence[str] = ()
    cloning: CloningSettings = CloningSettings()

    def check(self) -> None:
        """ValueError for what can be seen to be wrong before anything is collected."""
        for name in ("seeds", "demonstrations", "episodes"):
            if not 1 <= getattr(self, name) <= _MOST:
                raise ValueError(f"--{name} must be from 1 to {_MOST:,}, got {getattr(self, name)}")
        if not 0.0 <= self.noise < float("inf"):
            raise ValueError(f"--noise must be zero or more, got {self.noise}")
        check_options(self.options)
        for name in self.labellers:
            if name not in REFERENCES:
                labeller_of(name, _own_options(name, self.options), self.demonstrations)
        for key in self.options:
            if not any(key in _own_options(name, self.options) for name in self.labellers):
                raise ValueError(f"no labeller of {', '.join(self.labellers)} has an option {key!r}")


def _own_options(name: str, options: dict[str, object]) -> dict[str, object]:
    from rlkit_hfr.relabelers import find_relabeler, relabeler_options

    known = [] if name in REFERENCES else relabeler_options(find_relabeler(name))
    return {key: value for key, value in options.items() if key in known}


def run_study(study: Study, out: Path) -> list[Result]:
    """Run what is missing of a study in the folder `out`; returns all results and writes the table."""
    study.check()
    if study.run is None:
        variant = build_variant(study.env, "none", "quick", None, study.assignments, 0)
        require_expert(build_env(variant))
    else:
        variant = read_variant(Path(study.run))
    torch.set_num_threads(1)
    results = []
    with _claimed(out, study):
        for seed in range(study.seeds):
            missing = [name for name in study.labellers if not _file(out, name, seed).exists()]
            if missing:
                _run_seed(study, {**variant, "seed": seed}, missing, seed, out)
            results += [_result(out, name, seed) for name in study.labellers]
        write_text(out / "table.md", table(results))
    return results


@contextmanager
def _claimed(out: Path, study: Study) -> Iterator[None]:
    """The folder is new, or this very study's. ValueError if it holds another.

    A study that is refused before its first result leaves the folder as it was.
    """
    settings = json.dumps(dataclasses.asdict(study), indent=1, sort_keys=True, default=list)
    file, made = out / "study.json", [place for place in (out, *out.parents) if not place.exists()]
    is_new, begun = not file.exists(), False
    try:
        out.mkdir(parents=True, exist_ok=True)
        if is_new:
            _refuse_files_of_others(out, study)
            begun = True
            write_text(file, settings)
        elif load_object(file, advice=_ADVICE) != json.loads(settings):
            raise ValueError(f"{out} holds a study with other settings (study.json); {_ADVICE}")
        yield
    except (ValueError, OSError):
        if begun and not any(_file(out, name, 0).exists() for name in study.labellers):
            file.unlink(missing_ok=True)
        for place in made:
            with suppress(OSError):  # there are results in it, or somebody else's files
                place.rmdir()
        raise


def _refuse_files_of_others(out: Path, study: Study) -> None:
    """ValueError if a folder without a study holds a file that this study would write."""
    ours = {
        "table.md",
        *(_file(out, name, seed).name for name in study.labellers for seed in range(study.seeds)),
    }
    held = sorted(ours & set(os.listdir(out)))
    if held:
        raise ValueError(f"{out} holds {held[0]} and no study.json; {_ADVICE}")


def _result(out: Path, name: str, seed: int) -> Result:
    """What `_run_seed` wrote. ValueError if the file holds something else; results of before the
    checksum have none."""
    file = _file(out, name, seed)
    result = load_object(file, advice=_ADVICE)
    digest = result.pop(_SUM, None)
    if (
        set(result) != {"labeller", "seed", *_FIGURES}
        or (result["labeller"], result["seed"]) != (name, seed)
        or not all(type(result[key]) in (int, float) or key in _MAY_LACK for key in _FIGURES)
        or digest not in (None, _digest(result))
    ):
        raise ValueError(f"{file} is not as the study wrote it; remove it, and it is made again")
    return cast(Result, result)


def _digest(result: JsonObject | Result) -> str:
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()


def _file(out: Path, name: str, seed: int) -> Path:
    return out / f"{name.replace(':', '.')}-s-{seed}.json"


def _run_seed(study: Study, variant: Variant, missing: list[str], seed: int, out: Path) -> None:
    env: DemonstratedFamily = build_env(variant)
    tasks = list(env.get_all_task_idx())
    train, test = tasks[: variant["n_train_tasks"]], tasks[-variant["n_eval_tasks"] :]
    length = variant["algo_params"]["max_path_length"]
    sparse = records_sparse_rewards(env)
    shown = (
        scripted(env, train, study.demonstrations, length, study.noise, seed)
        if study.run is None
        else of_agent(Path(study.run), study.demonstrations, seed)
    )
    labels = {  # all of them first: what a labeller refuses is known before a policy is cloned
        name: label(shown, env, train, name, _own_options(name, study.options), sparse, seed)
        for name in missing
    }
    for name, labelled in labels.items():
        policy, errors = clone(labelled, env.tasks, seed, study.cloning)
        drawn = np.resize(np.asarray(test), study.episodes)
        paths = roll_out(env, policy, drawn, length, np.random.SeedSequence([seed, 1]))
        figures = _figures(paths, sparse) | _of_labels(labelled, shown, env, sparse)
        result = dict(labeller=name, seed=seed, epochs=len(errors), held_out_error=min(errors), **figures)
        write_text(_file(out, name, seed), json.dumps({**result, _SUM: _digest(result)}, indent=1))
        print(f"{name}, seed {seed}: return {result['return']:.3g}", file=sys.stderr, flush=True)


def _figures(paths: list[PathDict], sparse: bool) -> dict[str, float | None]:
    """Mean return of an episode, of the sparse reward where there is one, and share of episodes with a
    success at any step, None where the family defines none."""
    returns = [float(recorded_rewards(path, sparse).sum()) for path in paths]
    columns = (info_column(path, "success") for path in paths)
    successes = [float(np.max(column)) for column in columns if column is not None]
    return {"return": float(np.mean(returns)), "success": float(np.mean(successes)) if successes else None}


def _of_labels(
    labelled: list[Labelled], shown: Demonstrations, env: DemonstratedFamily, sparse: bool
) -> dict[str, float | None]:
    """Share of labels that are the task that was demonstrated, and mean return of the labelled steps under
    their labels."""
    true = {id(path): task for path, task in zip(shown.paths, shown.tasks.tolist(), strict=True)}
    told = [each for each in labelled if each.task is not None]
    if not told:
        return {"true_labels": None, "return_under_label": None}
    returns = []
    for path, steps, task in labelled:
        if task is None:
            continue
        rewards = env.compute_rewards(path, [task])
        chosen = rewards.sparse_rewards if sparse else rewards.rewards
        assert chosen is not None
        returns.append(float(chosen[0][steps].sum()))
    right = [each.task == true[id(each.path)] for each in told]
    return {"true_labels": float(np.mean(right)), "return_under_label": float(np.mean(returns))}


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean, from a generator of its own."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(_REPETITIONS, len(values)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def table(results: Sequence[Result]) -> str:
    """Markdown of the labellers, best first: means over seeds, with the interval of the return."""
    names = list(dict.fromkeys(result["labeller"] for result in results))
    returns = {n: np.array([r["return"] for r in results if r["labeller"] == n]) for n in names}
    head = (
        "| labeller | return | 95 % | success | P(above random) | true labels | return under label | epochs |"
    )
    lines = [head, "|---" * 8 + "|"]
    for name in sorted(names, key=lambda name: -returns[name].mean()):
        own = [result for result in results if result["labeller"] == name]
        low, high = interval(returns[name])
        above = "–"
        if "random" in returns and name != "random":
            pairs = returns[name][:, None] - returns["random"][None]
            above = f"{float((pairs > 0).mean() + 0.5 * (pairs == 0).mean()):.2f}"
        shown: tuple[Figure, ...] = ("success", "true_labels", "return_under_label", "epochs")
        cells = [_mean(own, key) for key in shown]
        lines.append(
            f"| `{name}` | {returns[name].mean():.4g} | [{low:.4g}, {high:.4g}] | {cells[0]} | {above} | "
            + " | ".join(cells[1:])
            + " |"
        )
    return "\n".join(lines) + "\n"


def _mean(results: Sequence[Result], key: Figure) -> str:
    values = [value for result in results if (value := result[key]) is not None]
    return f"{np.mean(values):.3g}" if values else "–"
