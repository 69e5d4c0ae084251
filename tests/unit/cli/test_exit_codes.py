"""What `frontier` exits with, and what it says before."""

from __future__ import annotations

import errno
import os

import pytest

from orchestrator import cli
from orchestrator.cli import app
from orchestrator.errors import FrontierError, HeldError, LaunchError, TrackingError


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (LaunchError("no such cluster"), 3, "frontier: no such cluster"),
        (HeldError("process 1 is at work"), 6, "frontier: process 1 is at work"),
        (TrackingError("no such server"), 5, "frontier: no such server"),
        (FrontierError("nobody said which"), 70, "frontier: nobody said which"),
        (ZeroDivisionError("ours"), 70, "a bug in Frontier"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "a/b"), 2, "frontier: a/b: Not a directory"),
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), 5, "free some disk space"),
        (OSError(errno.ENOSPC, "No space left on device"), 5, "frontier: No space left on device\n"),
        (OSError(errno.EFBIG, "File too large", "a/b"), 5, "raise the limit of file sizes (ulimit -f)"),
        (PermissionError(errno.EPERM, "of no file"), 70, "a bug in Frontier"),
        (FileNotFoundError(errno.ENOENT, "ours", "a/b"), 70, "a bug in Frontier"),
    ],
)
def test_a_defect_is_told_from_trials_that_failed(
    error: Exception,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("told", ["1", "0", ""])
def test_nobody_is_told_of_a_run_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    found = {}
    names = (
        "RAY_USAGE_STATS_ENABLED",
        "HF_HUB_DISABLE_TELEMETRY",
        "MLFLOW_DISABLE_TELEMETRY",
        "DO_NOT_TRACK",
    )
    for name in names:
        monkeypatch.setenv(name, told)
    monkeypatch.setattr(app, "app", lambda: found.update({name: os.environ[name] for name in names}))
    cli.main()
    assert found == dict(zip(names, ("0", "1", "true", "1"), strict=True))
