"""How a sweep ended is known at the laptop, whatever of its storage is mounted there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes_api import FakeApi, RefusedError
from ledger_builder import Fate, LedgerBuilder

from orchestrator.contracts.verdict import Verdict, commonest_reasons, last_verdict
from orchestrator.contracts.vocabulary import FailureKind

from .conftest import CALM, RUNNING, SUCCEEDED, Frontier

Body = dict[str, Any]
NO_GPU = "the trial was given a GPU, but torch sees none"
ALL_FAILED = Verdict(
    trials=2, finished=0, failed=2, reasons=commonest_reasons([(FailureKind.BAD_INPUT, NO_GPU)] * 2)
)
CALM_END = Verdict(trials=2, finished=2, failed=0)


def submitter(fake: FakeApi, name: str, sweep: str, log: str, since: str = "2026-01-01T00:00:00Z") -> None:
    labels = {"frontier/sweep": sweep, "frontier/role": "submitter"}
    metadata = {"labels": labels, "creationTimestamp": since}
    fake.put("pods", name, {"metadata": metadata, "status": {"phase": "Succeeded"}})
    fake.logs[name] = log


def ending(verdict: Verdict | str) -> list[Any]:
    """The states of a sweep whose submitter leaves that at the end of its log, the driver's indented."""
    line = verdict if isinstance(verdict, str) else f"  {verdict.line}"

    def ended(fake: FakeApi, body: Body) -> Body:
        submitter(
            fake, "s", body["metadata"]["name"], f"job j: SUCCEEDED\n  a table\n{line}\nJob finished.\n"
        )
        return SUCCEEDED

    return [RUNNING, ended]


def test_a_sweep_all_of_whose_trials_failed_is_no_success(api: FakeApi, submit: Frontier) -> None:
    api.scripts = [ending(ALL_FAILED)]
    said = submit()
    assert said.code == 1
    assert f"2 of 2 trials failed: BAD_INPUT: {NO_GPU}" in said.text
    assert "the same submission tries them again" in said.text


def test_each_reason_is_said_with_the_number_of_trials_that_it_ended(api: FakeApi, submit: Frontier) -> None:
    failures = [(FailureKind.OUT_OF_MEMORY, "no room")] * 2 + [(FailureKind.DIVERGED, "loss is not finite")]
    some = Verdict(trials=8, finished=5, failed=3, reasons=commonest_reasons(failures))
    api.scripts = [ending(some)]
    said = submit()
    assert said.code == 1
    assert "3 of 8 trials failed\n  2 trials: OUT_OF_MEMORY: no room\n  1 trial: DIVERGED: loss" in said.text


def test_cells_whose_search_found_nothing_are_failures_as_well(api: FakeApi, submit: Frontier) -> None:
    api.scripts = [ending(Verdict(trials=2, finished=1, failed=0, not_run=("a/b/c/d: nothing to choose",)))]
    said = submit()
    assert said.code == 1
    assert "not run: a/b/c/d: nothing to choose" in said.text
    assert "0 of 2" not in said.text


def test_a_spent_budget_ends_as_it_does_on_one_machine(api: FakeApi, submit: Frontier) -> None:
    api.scripts = [ending(Verdict(trials=4, finished=3, failed=0, held=True))]
    said = submit()
    assert said.code == 4
    assert "3 of 4 trials finished" in said.text
    assert "raise `budget`" in said.text


def test_where_nothing_failed_the_number_of_trials_says_so(api: FakeApi, submit: Frontier) -> None:
    api.scripts = [ending(CALM_END)]
    said = submit()
    assert said.code == 0
    assert "2 of 2 trials finished" in said.text


def test_the_newest_submitter_has_the_last_word(api: FakeApi, submit: Frontier) -> None:
    def ended(fake: FakeApi, body: Body) -> Body:
        name = body["metadata"]["name"]
        submitter(fake, "z-first", name, f"  {ALL_FAILED.line}\n")
        submitter(fake, "a-second", name, f"  {CALM_END.line}\n", since="2026-01-01T00:01:00Z")
        return SUCCEEDED

    api.scripts = [[RUNNING, ended]]
    assert submit().code == 0


@pytest.mark.parametrize("line", ["", "frontier-verdict: {", 'frontier-verdict: {"of": "another version"}'])
def test_a_log_without_a_verdict_is_said_to_have_none(api: FakeApi, submit: Frontier, line: str) -> None:
    api.scripts = [ending(line)]
    said = submit()
    assert said.code == 0
    assert "how the trials ended is not known here" in said.text


def test_whoever_may_not_read_logs_is_told_so(api: FakeApi, submit: Frontier) -> None:
    api.scripts = [ending(ALL_FAILED)]
    api.refusals["get", "pods"] = RefusedError(403, "pods is forbidden")
    said = submit()
    assert "the driver's log cannot be read" in said.text


def test_records_that_are_mounted_are_not_said_twice(api: FakeApi, submit: Frontier, tmp_path: Path) -> None:
    built = LedgerBuilder(tmp_path / "mounted", "ours")
    built.attempt(built.plan(methods=["full"])[0], Fate(failure=FailureKind.BAD_INPUT))
    api.scripts = [ending(Verdict(trials=1, finished=0, failed=1, reasons=ALL_FAILED.reasons))]
    said = submit("--storage", str(tmp_path / "mounted"))
    assert said.code == 1
    assert "1 of 1 trial failed\n" in said.text
    assert NO_GPU not in said.text


def test_a_run_that_exits_0_says_in_its_last_line_how_it_ended(
    sweep: Callable[..., str], frontier: Frontier, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.cli.run import launch

    monkeypatch.setattr(launch, "run", lambda *given: ({}, ALL_FAILED))
    said = frontier("run", sweep(), "--exit-zero")
    assert said.code == 0
    assert last_verdict(said.text) == ALL_FAILED
    assert frontier("run", sweep()).code == 1
    assert "verdict" not in frontier("run", sweep(), "--exit-zero", "--json").out


def test_a_sweep_whose_submitter_is_gone_ends_as_before(api: FakeApi, submit: Frontier) -> None:
    """An image of an earlier version: its sweeps end as they did."""
    api.scripts = [list(CALM)]
    assert submit().code == 0
