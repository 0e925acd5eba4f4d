"""Finding, or refusing, the checkout that the launcher is to run on."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("host", ["oyster", "rlkit"])
def test_without_a_checkout_the_clone_command_is_given(tmp_path, refusal, host):
    assert "git clone https://github.com/" in refusal(
        "--host", host, "--host-path", str(tmp_path / "nowhere")
    )
    assert "is no checkout of" in refusal("--host", host, "--host-path", str(tmp_path))


def test_pypis_unrelated_rlkit_is_recognised(tmp_path, refusal):
    (tmp_path / "rlkit").mkdir()
    (tmp_path / "rlkit" / "__init__.py").touch()
    assert "PyPI's unrelated package" in refusal("--host", "rlkit", "--host-path", str(tmp_path))


def test_the_other_family_is_recognised(tmp_path, refusal):
    folder = tmp_path / "rlkit" / "torch" / "smac"
    folder.mkdir(parents=True)
    (folder / "agent.py").touch()
    assert "is a checkout of rlkit; use --host rlkit" in refusal(
        "--host", "oyster", "--host-path", str(tmp_path)
    )
