"""Which figures are drawn, and that they look alike."""

from __future__ import annotations

import numpy as np
from log_files import settings_of

from rlkit_hfr.experiments.analysis import drawing, figures, score_figure
from rlkit_hfr.experiments.analysis.logs import load_runs
from rlkit_hfr.experiments.analysis.looks import looks
from rlkit_hfr.experiments.analysis.study import Study
from rlkit_hfr.experiments.commands.plot import main


def test_relabeling_is_drawn_for_each_environment_by_itself(write_run, tmp_path, capsys):
    for env, tasks in (("x", 2), ("y", 3)):
        folder = write_run(f"{env}/s-0", variant=settings_of(env=env), extra={"relabel/effective tasks": 2.0})
        (folder / "relabeling").mkdir()
        np.savez(folder / "relabeling" / "epoch_0.npz", tasks=np.arange(tasks), source_to_new=np.eye(tasks))
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert {"relabeling-x.png", "relabeling-y.png"} <= {file.name for file in (tmp_path / "out").iterdir()}


def _study(tmp_path, **options):
    runs = load_runs([tmp_path])
    return Study(**{**dict(runs=runs, folders=[tmp_path], last=3, window=1, statistic="iqm"), **options})


def _kept(monkeypatch):
    """The drawn figures by name, not saved."""
    drawn = {}
    monkeypatch.setattr(drawing, "save", lambda figure, stem: drawn.setdefault(stem.name, figure) and stem)
    return drawn


def test_a_method_keeps_its_look_whoever_is_beside_it():
    everybody = looks(["none", "hfr", "air", "mine", "hfr temperature=10.0"])
    assert looks(["hfr"])["hfr"] == everybody["hfr"]
    assert looks(["mine", "hipi"])["mine"] == everybody["mine"]
    many = looks([f"method {number}" for number in range(12)])
    assert len({look["color"] for look in many.values()}) == 12


def test_profiles_span_the_scores(write_run, tmp_path, monkeypatch):
    for method, success in (("none", 0.05), ("hfr", 0.2)):
        write_run(method, variant=settings_of(method), success=success)
    drawn = _kept(monkeypatch)
    score_figure.draw_aggregate(_study(tmp_path), tmp_path / "aggregate")
    for axis in (drawn["aggregate"].axes[2], drawn["aggregate"].axes[5]):
        assert -0.01 < axis.get_xlim()[0] < 0.05
        assert 0.2 < axis.get_xlim()[1] < 0.25


def test_captions_say_what_is_averaged_and_who_has_no_interval(write_run, tmp_path, monkeypatch):
    _kept(monkeypatch)
    for method, seeds in (("none", 2), ("hfr", 4)):
        for seed in range(seeds):
            write_run(f"{method}/s-{seed}", variant=settings_of(method, seed), offset=seed)
    caption = figures.draw_curves(_study(tmp_path), tmp_path / "curves").caption
    assert "interquartile mean over seeds (mean of none: under 4 runs)" in caption
    assert "intervals (none for none: under 3 runs)" in caption
    caption = figures.draw_curves(_study(tmp_path, statistic="mean"), tmp_path / "again").caption
    assert "Lines: mean over seeds;" in caption


def test_adaptation_is_drawn_over_its_trajectories(write_run, tmp_path, monkeypatch):
    drawn = _kept(monkeypatch)
    assert (
        figures.draw_adaptation(_study(write_run("x/s-0", variant=settings_of())), tmp_path / "none") is None
    )
    extra = {
        f"test/trajectory {j} {what}": j * scale
        for what, scale in (("return", 1), ("success", 0.1))
        for j in (1, 2, 3)
    }
    folder = write_run("y/s-0", variant=settings_of(), extra=extra)
    figures.draw_adaptation(_study(folder), tmp_path / "adaptation")
    for axis, height in zip(drawn["adaptation"].axes, (1.0, 0.1), strict=True):
        (line,) = axis.lines
        np.testing.assert_allclose(line.get_xdata(), [1, 2, 3])
        np.testing.assert_allclose(line.get_ydata(), height * np.arange(1, 4))
