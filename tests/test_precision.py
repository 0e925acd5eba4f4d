"""Half precision is where it is asked for and nowhere else, and threads change no path."""

from __future__ import annotations

import pytest
import standin_families
import torch

from rlkit_hfr import attach
from rlkit_hfr.experiments.commands.train import main
from rlkit_hfr.experiments.runs.carried import CarriedRun
from rlkit_hfr.experiments.settings.variant import build_variant
from rlkit_hfr.pearl.config import PEARLConfig
from rlkit_hfr.precision import uses_bfloat16

CPU = torch.device("cpu")


def _updated(make_algorithm, precision):
    """An algorithm after one update from given weights and data, and the losses of that update."""
    torch.manual_seed(0)
    algorithm = make_algorithm("point-robot", net_size=64, precision=precision, num_initial_steps=100)
    algorithm.collect_data(algorithm.train_tasks, 100)
    torch.manual_seed(1)
    algorithm._do_training(algorithm.train_tasks[:3])
    return algorithm, algorithm._losses[0]


def test_bfloat16_gives_nearly_the_losses_and_single_precision_weights(make_algorithm):
    (full, losses), (half, rough) = (_updated(make_algorithm, name) for name in ("fp32", "bf16"))
    torch.testing.assert_close(rough, losses, rtol=0.03, atol=0.03)
    assert not torch.equal(rough, losses)  # the option is heeded
    for algorithm in (full, half):
        for net in algorithm.networks:
            assert all(weights.dtype == torch.float32 for weights in net.parameters())
        assert all(state["exp_avg"].dtype == torch.float32 for state in algorithm.qf_optimizer.state.values())
    moved = [torch.cat([w.flatten() for w in algorithm.qf1.parameters()]) for algorithm in (full, half)]
    assert (moved[0] - moved[1]).abs().max() < 2e-3  # both by at most a learning rate of Adam


def test_scoring_in_bfloat16_orders_tasks_alike_and_leaves_no_trace(make_algorithm):
    utilities = {}
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        algorithm = make_algorithm("point-robot", net_size=64)
        relabeling = attach(
            algorithm, "hfr", relabel_fraction=0.0, seed=0, precision=precision, num_initial_states=16
        )
        for net in (algorithm.qf1, algorithm.qf2, algorithm.agent.context_encoder):
            for weights in net.parameters():
                weights.data = (
                    torch.randn(weights.shape, generator=torch.Generator().manual_seed(weights.numel())) * 0.3
                )
        algorithm.collect_data(algorithm.train_tasks, 60)
        algorithm.agent.clear_z(num_tasks=3)
        paths = algorithm.sampler.obtain_paths([0, 1, 2])
        with relabeling.scorer.networks.isolated():
            utilities[precision] = relabeling.relabeler.utilities(paths, relabeling.scorer)
        assert not torch.is_autocast_enabled("cpu")
        assert utilities[precision].dtype == torch.float32
    assert not torch.equal(utilities["fp32"], utilities["bf16"])
    spread = utilities["fp32"].std()
    assert (utilities["fp32"] - utilities["bf16"]).abs().max() < 0.2 * spread


def test_auto_follows_the_processor(monkeypatch):
    for amx, avx in ((False, False), (True, False), (False, True)):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: amx)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx=avx: avx)
        assert uses_bfloat16("auto", CPU) == (amx or avx)
        assert uses_bfloat16("bf16", CPU)
        assert not uses_bfloat16("fp32", CPU)
    assert not uses_bfloat16("auto", torch.device("cuda"))


class _Unmade(standin_families.Critic):
    """Does something with its hidden layer that it can't do in bfloat16."""

    def __init__(self, look, width=standin_families.OBS + standin_families.ACT + standin_families.Z):
        super().__init__(width)
        self.look = look

    def forward(self, *inputs):
        hidden = self.net[0](torch.cat(inputs, dim=-1))
        self.look(hidden)
        return self.net[1:](hidden) * (
            1.0 if hidden.dtype == torch.float32 or self.look is not _nothing else 2.0
        )


def _nothing(hidden):
    pass


def _as_numbers(hidden):
    hidden.numpy(force=True)


def _looks_up(hidden):
    {torch.float32: 0}[hidden.dtype]


@pytest.mark.parametrize(
    ("look", "trouble"),
    [(_as_numbers, "BFloat16"), (_looks_up, "torch.bfloat16"), (_nothing, "more than a tenth")],
)
def test_auto_does_without_where_the_hosts_code_is_not_made_for_it(monkeypatch, look, trouble):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    algorithm = standin_families.OysterLike()
    algorithm.qf1, algorithm.qf2 = _Unmade(look), _Unmade(look)
    with pytest.raises(
        ValueError, match=f"networks don't run in bf16: .*{trouble}.*; choose precision='fp32'"
    ):
        attach(algorithm, "hfr", precision="bf16")
    networks = attach(algorithm, "hfr").scorer.networks
    rows = torch.randn(4, 2), torch.randn(4, 2), torch.randn(4, 3)
    torch.testing.assert_close(networks.critics(*rows)[0], algorithm.qf1(*rows))


class _Floats(standin_families.Policy):
    """Gives its outputs in single precision; in half, the action is then no longer the
    tanh of the mean, by which the noise is known.
    """

    def forward(self, x, deterministic=False):
        action, mean, log_std, _ = super().forward(x, deterministic)
        return action.to(mean.dtype).float(), mean.float(), log_std.float(), None


def test_scoring_does_not_lose_the_noise_of_actions(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    algorithm = standin_families.OysterLike()
    algorithm.agent.policy = _Floats()
    networks = attach(algorithm, "hfr").scorer.networks
    obs, z = torch.randn(4, 2), torch.randn(4, 3)
    assert not torch.equal(networks.action(obs, z, torch.randn), networks.action(obs, z, torch.randn))
    other = standin_families.OysterLike()
    other.agent.policy = _Floats()
    with pytest.raises(ValueError, match="the policy's mean and deviation can't be told"):
        attach(other, "hfr", precision="bf16")


def test_a_value_that_is_not_asked_for_is_no_hindrance():
    algorithm = standin_families.OysterLike()
    algorithm.target_vf = _Unmade(_looks_up, standin_families.OBS + standin_families.Z)
    with pytest.raises(ValueError, match="networks don't run in bf16"):
        attach(algorithm, "hfr-bellman", precision="bf16")
    assert attach(algorithm, "hfr", precision="bf16").precision == "bf16"


def test_auto_on_a_plain_processor_is_fp32(monkeypatch):
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    plain, single = (
        attach(standin_families.OysterLike(), "hfr", seed=0, precision=precision)
        for precision in ("auto", "fp32")
    )
    assert plain.scorer.networks.state_dict() == single.scorer.networks.state_dict()


def test_a_restored_run_goes_on_in_its_precision():
    """Also where "auto" would choose otherwise."""
    half = attach(standin_families.OysterLike(), "hfr", seed=0, precision="bf16").scorer.networks
    other = attach(standin_families.OysterLike(), "hfr", seed=0, precision="fp32").scorer.networks
    rows = torch.randn(4, 2), torch.randn(4, 2), torch.randn(4, 3)
    assert not torch.equal(half.critics(*rows)[0], other.critics(*rows)[0])
    other.load_state_dict(half.state_dict())
    torch.testing.assert_close(half.critics(*rows), other.critics(*rows), rtol=0.0, atol=0.0)


def test_auto_is_for_methods_that_average(monkeypatch, make_algorithm):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    rows = torch.randn(4, 2), torch.randn(4, 2), torch.randn(4, 3)
    for name, half in (("hfr", True), ("hipi", False), ("hfr-bellman", False)):
        algorithm = make_algorithm()
        relabeling = attach(algorithm, name, precision="auto")
        assert torch.equal(relabeling.scorer.networks.critics(*rows)[0], algorithm.qf1(*rows)) != half
        assert relabeling.precision == ("bf16" if half else "fp32")
    # the same numbers on every machine, unless asked for
    assert attach(make_algorithm(), "hfr").precision == "fp32"


def test_a_run_says_what_it_scores_in(tmp_path):
    variant = build_variant(
        "point-robot", "hfr", "quick", None, ["num_iterations=1", "relabel_params.precision=bf16"], 0
    )
    run = CarriedRun({**variant, "snapshots": dict(snapshot_mode="none", snapshot_gap=1)}, CPU)
    run.start(tmp_path)
    assert "Relabeling by hfr, scored in bf16" in (tmp_path / "debug.log").read_text()


def test_only_calls_of_networks_are_in_half_precision():
    """What else scoring runs, such as a reward function with matrix products of its own or
    the fit of a learned one, is as without it.
    """
    algorithm = standin_families.OysterLike()
    networks = attach(algorithm, "hfr", precision="bf16").scorer.networks
    x = torch.randn(64, 64)
    exact = x @ x
    with networks.isolated():
        assert torch.equal(x @ x, exact)
        assert not torch.equal(
            networks.critics(*(x[:, :n] for n in (2, 2, 3)))[0], algorithm.qf1(*(x[:, :n] for n in (2, 2, 3)))
        )


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_chunk_of_scoring_suits_the_device(device, make_algorithm):
    scorer = attach(make_algorithm(), "hfr").scorer
    small = scorer.max_rows
    scorer.networks.parts.owner.qf1.to(device)
    assert (scorer.max_rows > 10 * small) == (device != "cpu")


def test_unknown_precisions_are_refused(make_algorithm):
    with pytest.raises(ValueError, match="precision must be one of fp32, bf16, auto, got 'fp16'"):
        PEARLConfig(precision="fp16")
    with pytest.raises(ValueError, match="precision must be one of"):
        attach(make_algorithm(), "hfr", precision="half")


def test_the_option_sets_updates_and_scoring(capsys):
    assert main(["--env", "point-robot", "--preset", "quick", "--precision", "bf16", "--dry-run"]) == 0
    assert capsys.readouterr().out.count('"precision": "bf16"') == 2
