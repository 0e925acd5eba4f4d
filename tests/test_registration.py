"""What others bring is taken, by registration and as ``module:Class``, and what is none is
refused in a line.
"""

from __future__ import annotations

import re
import types

import numpy as np
import pytest

import env_wrappers
from env_wrappers import ENVIRONMENTS, HindsightEnv, arguments_of, make_env, register_env
from env_wrappers.point import PointRobot
from examples.chain import Chain
from rlkit_hfr import RELABELERS, Relabeler, attach, register_relabeler
from rlkit_hfr.experiments.commands import train
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.relabelers.baselines import RandomRelabeler


@pytest.fixture(autouse=True)
def _registries_are_put_back():
    known, families = dict(RELABELERS), dict(ENVIRONMENTS)
    yield
    for registry, before in ((RELABELERS, known), (ENVIRONMENTS, families)):
        registry.clear()
        registry.update(before)


def _mine(**members):
    return type("Mine", (RandomRelabeler,), {"name": "mine", "__module__": __name__, **members})


def test_a_registered_relabeler_is_one_by_name(make_algorithm):
    cls = register_relabeler(_mine())
    assert RELABELERS["mine"] is cls
    algorithm = make_algorithm()
    assert type(attach(algorithm, "mine", seed=0).relabeler) is cls
    assert build_variant("point-robot", "mine", "quick", None, [], 0)["relabeler"] == "mine"


class Discounting(RandomRelabeler):
    """With an option that is called like a setting of PEARL."""

    name = "discounting"

    def __init__(self, *, discount: float = 1.0) -> None:
        self.discount = discount


@pytest.mark.parametrize("relabeler", ["discounting", f"{__name__}:Discounting"])
@pytest.mark.parametrize("env", ["point-robot", "examples.chain:Chain"])
def test_an_option_called_like_a_setting_of_pearl_is_said_with_its_section(relabeler, env, monkeypatch):
    if ":" not in relabeler:
        register_relabeler(Discounting)
    monkeypatch.setattr(Chain, "default_settings", {"discount": 0.9})
    given = ["relabel_params.discount=0.5"]
    variant = build_variant(env, relabeler, "quick", None, given, 0)
    assert variant["relabel_params"]["discount"] == 0.5
    assert variant["algo_params"]["discount"] in (0.9, 0.95)
    with pytest.raises(ValueError, match="say which: algo_params.discount or relabel_params.discount"):
        build_variant(env, relabeler, "quick", None, ["discount=0.5"], 0)


def test_a_taken_name_is_refused_but_for_the_same_class():
    first = register_relabeler(_mine())
    register_relabeler(first)
    again = register_relabeler(_mine())  # the same class, of a module that was loaded anew
    assert RELABELERS["mine"] is again
    with pytest.raises(ValueError, match="'hfr' is taken by rlkit_hfr.*HFRRelabeler; give Mine another"):
        register_relabeler(_mine(name="hfr"))
    with pytest.raises(ValueError, match="'mine' is taken by"):
        register_relabeler(type("Other", (RandomRelabeler,), {"name": "mine"}))


class Nameless(Relabeler):
    def decide(self, paths, source_tasks, scorer, rng):
        return []


class Unfinished(Relabeler):
    name = "unfinished"


@pytest.mark.parametrize(("cls", "message"), [
    (Nameless, "the relabeler Nameless needs a name for logs and messages, got None"),
    (Unfinished, "the relabeler Unfinished does not define decide"),
    (PointRobot, "expected a class derived from rlkit_hfr.Relabeler, got PointRobot"),
    (5, "5 is no relabeler"),
])  # fmt: skip
def test_what_is_no_relabeler_is_refused(cls, message):
    with pytest.raises(ValueError, match=message):
        register_relabeler(cls)


def test_a_class_without_a_name_is_refused_by_attach_too(make_algorithm):
    for given in (Nameless, Nameless()):
        with pytest.raises(ValueError, match="Nameless needs a name"):
            attach(make_algorithm(), given)


def test_a_registered_family_is_one_by_name():
    register_env("my-chain", Chain)
    assert isinstance(make_env("my-chain", n_tasks=3), Chain)

    @register_env("short-chain")
    def short(n_tasks: int = 4):
        return Chain(n_tasks, length=0.1)

    assert make_env("short-chain", seed=3).tasks.max() == pytest.approx(0.1)
    register_env("my-chain", Chain)
    with pytest.raises(ValueError, match="'my-chain' is taken by examples.chain:Chain"):
        register_env("my-chain", PointRobot)
    with pytest.raises(ValueError, match="'point-robot' is taken by env_wrappers.point:PointRobot"):
        register_env("point-robot", Chain)
    register_env("point-robot", PointRobot)
    with pytest.raises(ValueError, match="a word without ':'"):
        register_env("my:chain", Chain)
    with pytest.raises(ValueError, match="the class Nameless has no reset and no step"):
        register_env("none", Nameless)
    with pytest.raises(ValueError, match="expected a class, or a function"):
        register_env("none", 5)


REFERENCES = [
    (
        "nowhere.at_all:Mine",
        r"can't import the module 'nowhere.at_all' .*No module named 'nowhere'.*PYTHONPATH",
    ),
    ("broken:Mine", r"can't import the module 'broken' .*\(ZeroDivisionError: division by zero\)"),
    ("wrong:Mine", r"can't import the module 'wrong' .*SyntaxError"),
    ("examples.chain:Chian", r"'examples.chain' has no 'Chian' \(did you mean 'Chain'\?\)"),
    ("examples.chain:", "written module:Class, got 'examples.chain:'"),
    (":Chain", "written module:Class, got ':Chain'"),
    ("../chain:Chain", "written module:Class"),
    ("numpy:pi", "numpy:pi is no "),
    ("numpy:ndarray", "numpy:ndarray is no "),
]


@pytest.mark.parametrize("option", ["--env", "--relabeler"])
@pytest.mark.parametrize(("reference", "message"), REFERENCES)
def test_a_reference_to_nothing_is_one_line_and_exit_2(
    tmp_path, monkeypatch, capsys, option, reference, message
):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "wrong.py").write_text("def (:\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = {"--env": "point-robot", "--relabeler": "hfr", option: reference}
    words = [part for pair in names.items() for part in pair]
    assert train.main([*words, "--log-dir", str(tmp_path / "log")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert re.search(message, error), error
    assert not (tmp_path / "log").exists()


def test_the_arguments_of_a_family_are_those_of_its_signature():
    assert arguments_of(Chain).defaults == {
        "n_tasks": 10,
        "length": 1.0,
        "near": 0.0,
        "split": None,
        "n_test_tasks": None,
    }
    push = arguments_of(env_wrappers.find_family("sawyer-push"))
    assert {"n_tasks", "task_seed", "start", "obs_dim"} <= set(push.names)  # its base class's as well
    assert not push.any_others

    def anything(size, **others):
        return Chain()

    assert arguments_of(anything).any_others
    assert arguments_of(anything).required == ("size",)


def test_arguments_are_checked_before_anything_is_built():
    def variant(*assignments, env="examples.chain:Chain"):
        return build_variant(env, "hfr", None, None, list(assignments), 0)

    assert variant("length=2.5")["env_params"] == {"n_tasks": 10, "length": 2.5}
    with pytest.raises(ValueError, match=r"unknown setting 'lenght' \(did you mean 'length'\?\)"):
        variant("lenght=2")
    with pytest.raises(ValueError, match=r"unknown setting 'length'"):
        variant("length=2", env="point-robot")
    with pytest.raises(
        ValueError, match=r"has no argument 'lenght' \(did you mean 'length'\?\); its arguments"
    ):
        make_env("examples.chain:Chain", lenght=2)
    with pytest.raises(ValueError, match="length must be positive"):
        make_env("examples.chain:Chain", length=-1)


class Needy(Chain):
    def __init__(self, colour, discount: float = 0.5, dark: bool = False) -> None:
        super().__init__()


def test_required_truthful_and_ambiguous_arguments():
    register_env("needy", Needy)
    with pytest.raises(ValueError, match="needy needs colour; .* --set env_params.colour="):
        make_env("needy")
    with pytest.raises(ValueError, match="needs colour"):
        build_variant("needy", "hfr", None, None, ["n_train_tasks=3", "n_eval_tasks=2"], 0)
    with pytest.raises(ValueError, match="dark must be true or false"):
        build_variant("needy", "hfr", None, None, ["colour=red", "dark=1"], 0)
    with pytest.raises(ValueError, match="algo_params.discount or env_params.discount"):
        build_variant("needy", "hfr", None, None, ["colour=red", "discount=0.3"], 0)
    variant = build_variant("needy", "hfr", None, None, ["colour=red", "env_params.discount=0.3"], 0)
    assert variant["env_params"] == {"colour": "red", "discount": 0.3}
    assert variant["algo_params"]["discount"] == 0.99


class TestSettingsWithoutAPreset:
    """Of a family that nobody wrote a preset for."""

    def _variant(self, *assignments, preset=None):
        return build_variant("examples.chain:Chain", "hfr", preset, None, list(assignments), 0)

    def test_they_are_pearls_defaults_and_what_the_family_declares(self):
        variant = self._variant()
        assert variant["algo_params"]["num_iterations"] == Chain.default_settings["num_iterations"]
        assert variant["algo_params"]["discount"] == 0.99
        assert variant["net_size"] == 32
        assert variant["relabel_params"]["num_initial_states"] == 8
        assert self._variant("num_iterations=3")["algo_params"]["num_iterations"] == 3
        assert self._variant(preset="quick")["algo_params"] == variant["algo_params"]

    def test_an_option_of_another_relabeler_is_left_out(self):
        variant = build_variant("examples.chain:Chain", "random", None, None, [], 0)
        assert "num_initial_states" not in variant["relabel_params"]

    @pytest.mark.parametrize(("given", "expected"), [
        ((), (8, 2, 10)),
        (("n_tasks=50",), (40, 10, 50)),
        (("n_train_tasks=3",), (3, 2, 5)),
        (("n_train_tasks=9",), (9, 1, 10)),
        (("n_eval_tasks=4",), (6, 4, 10)),
        (("n_train_tasks=3", "n_eval_tasks=3"), (3, 3, 6)),
    ])  # fmt: skip
    def test_tasks_are_shared_out(self, given, expected):
        variant = self._variant(*given)
        assert (
            variant["n_train_tasks"],
            variant["n_eval_tasks"],
            variant["env_params"]["n_tasks"],
        ) == expected

    def test_too_many_tasks_are_refused(self):
        with pytest.raises(ValueError, match="n_tasks must be at least"):
            self._variant("n_tasks=5", "n_train_tasks=4", "n_eval_tasks=2")

    def test_of_a_family_without_n_tasks_they_are_counted(self):
        variant = build_variant(f"{__name__}:Fixed", "hfr", None, None, [], 0)
        assert (variant["n_train_tasks"], variant["n_eval_tasks"]) == (5, 1)
        assert variant["env_params"] == {}

    @pytest.mark.parametrize("declared", [{"meta_bach": 3}, 5, {"sparse_rewards": "no"}])
    def test_a_wrong_declaration_is_named(self, monkeypatch, declared):
        monkeypatch.setattr(Chain, "default_settings", declared)
        with pytest.raises(ValueError, match="default_settings of Chain"):
            self._variant()


class Fixed(HindsightEnv):
    """Six tasks, no arguments, no seed."""

    def __init__(self):
        super().__init__(np.arange(6.0)[:, None], 1, 1)

    def _reset(self):
        return self._rng.uniform(size=1)

    def _advance(self, action):
        return action, action

    def reward_of(self, achieved, task):
        raise NotImplementedError


def test_a_family_whose_class_takes_no_seed_is_seeded_all_the_same():
    first, second, other = (make_env(Fixed, seed=seed).reset() for seed in (1, 1, 2))
    assert first == second != other


def test_what_builds_no_environment_is_refused():
    with pytest.raises(ValueError, match=r"built a SimpleNamespace without reset, step, reset_task"):
        make_env(lambda: types.SimpleNamespace())
