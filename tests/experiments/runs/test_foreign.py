"""Finding, or refusing, the checkout that the launcher is to run on."""
from __future__ import annotations

import pytest

from rlkit_hfr.experiments.commands.train import main


def _say(tmp_path, capsys, *arguments):
    assert main(["--env", "point-robot", "--log-dir", str(tmp_path / "log"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "log").exists()
    return error


@pytest.mark.parametrize("host", ["oyster", "rlkit"])
def test_without_a_checkout_the_clone_command_is_given(tmp_path, capsys, host):
    assert "git clone https://github.com/" in _say(
        tmp_path, capsys, "--host", host, "--host-path", str(tmp_path / "nowhere")
    )
    assert "is no checkout of" in _say(tmp_path, capsys, "--host", host, "--host-path", str(tmp_path))


def test_pypis_unrelated_rlkit_is_recognised(tmp_path, capsys):
    (tmp_path / "rlkit").mkdir()
    (tmp_path / "rlkit" / "__init__.py").touch()
    assert "PyPI's unrelated package" in _say(
        tmp_path, capsys, "--host", "rlkit", "--host-path", str(tmp_path)
    )


def test_the_other_family_is_recognised(tmp_path, capsys):
    folder = tmp_path / "rlkit" / "torch" / "smac"
    folder.mkdir(parents=True)
    (folder / "agent.py").touch()
    assert "is a checkout of rlkit; use --host rlkit" in _say(
        tmp_path, capsys, "--host", "oyster", "--host-path", str(tmp_path)
    )


def test_images_are_refused_on_hosts_that_do_not_scale_them(tmp_path, capsys):
    assert "do not take images" in _say(tmp_path, capsys, "--host", "oyster", "--env", "visual-reacher")
