"""What `python -m workers.selfcheck` says where it cannot run."""

from __future__ import annotations

import sys

import pytest

from workers.selfcheck import __main__ as command


def test_a_missing_binding_to_the_driver_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(sys, "argv", ["selfcheck"])
    assert command.main() == 3
    assert "pip install nvidia-ml-py" in capsys.readouterr().err
