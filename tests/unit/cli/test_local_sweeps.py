"""`frontier stop` and `frontier follow` of a sweep on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.status import watch as watching
from orchestrator.contracts.vocabulary import FailureKind
from orchestrator.errors import ConfigError, ExitCode, InterruptedSweepError
from orchestrator.storage import lease
from orchestrator.tracking.ledger import Ledger

DRIVER = """
import sys, time
from pathlib import Path
from orchestrator.tracking.ledger import Ledger
try:
    with Ledger(Path(sys.argv[1])).lock():
        print("held", flush=True)
        while True:
            time.sleep(60)
except KeyboardInterrupt:
    print("ended as Ctrl-C ends it", flush=True)
"""


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LedgerBuilder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    built = LedgerBuilder(Path("sweeps"), "demo")
    first, _ = built.plan(["tiny"], ["general"], ["full"], seeds=[1, 2])
    built.attempt(first, Fate(quality=0.8))
    return built


@contextmanager
def _driver(directory: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(directory)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def _said(*words: str) -> str:
    return CliRunner().invoke(app, words, catch_exceptions=False).output


def test_stop_ends_the_process_that_runs_the_sweep_and_waits_for_it(sweep: LedgerBuilder) -> None:
    with _driver(sweep.ledger.directory) as driver:
        said = _said("stop", "demo")
        assert Ledger(sweep.ledger.directory).driver() is None
        assert driver.stdout is not None
        assert driver.stdout.readline() == "ended as Ctrl-C ends it\n"
        assert f"process {driver.pid} ends its running attempts, then itself" in said
    assert "demo: 1 of 2 trials finished; the command that started it continues from here" in said


def test_a_sweep_that_does_not_run_needs_no_stop(sweep: LedgerBuilder) -> None:
    assert "demo does not run\n" in _said("stop", "demo")


def test_a_driver_of_another_machine_is_named_and_left(
    sweep: LedgerBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sweep.ledger.lock():
        monkeypatch.setattr(lease, "_machine", lambda: "another")
        with pytest.raises(ConfigError, match=r"process \d+ on .* runs this sweep\n.*`frontier stop` there"):
            _said("stop", "demo")


def test_without_a_cluster_an_unknown_sweep_is_answered_with_the_sweeps_here(sweep: LedgerBuilder) -> None:
    for verb in ("stop", "follow"):
        with pytest.raises(ConfigError, match=r"did you mean 'demo'\?$"):
            _said(verb, "dmo")


def test_following_shows_the_sweep_until_its_driver_is_gone(sweep: LedgerBuilder) -> None:
    done = CliRunner().invoke(app, ["follow", "demo"])
    assert done.exit_code == ExitCode.TRIALS_FAILED
    assert "1 of 2 finished" in done.output
    assert "demo: 1 of 2 trials finished; the command that started it continues from here" in done.output


@pytest.mark.parametrize(("fate", "code"), [(Fate(quality=0.7), 0), (Fate(failure=FailureKind.BUG), 1)])
def test_following_a_sweep_that_has_ended_tells_how(sweep: LedgerBuilder, fate: Fate, code: int) -> None:
    assert sweep.sweep is not None
    sweep.attempt(sweep.sweep.trials[1], fate)
    done = CliRunner().invoke(app, ["follow", "demo"])
    assert done.exit_code == code
    assert "`frontier report demo`" in done.output


def test_ctrl_c_leaves_a_followed_sweep_running(
    sweep: LedgerBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(page: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.Page, "draw", interrupted)
    with pytest.raises(InterruptedSweepError, match="demo runs on; `frontier follow demo` shows it again"):
        _said("follow", "demo")


def test_a_log_of_a_watched_sweep_tells_counts_once_until_they_change(sweep: LedgerBuilder) -> None:
    page = watching.Page(sweep.ledger, lambda: 0.0)
    assert page.news() == ""
    page.draw()
    assert page.news() == "1 of 2 finished, 1 waiting"
    page.draw()
    assert page.news() == ""
