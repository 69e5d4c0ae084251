"""The results as Markdown, and as lines on a screen."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.contracts.device import GIB
from workers.selfcheck.results import CheckResult, CheckVerdict, Reading, Results

_MARKS = {
    CheckVerdict.PASSED: "passed",
    CheckVerdict.FAILED: "FAILED",
    CheckVerdict.TIMED_OUT: "TIMED OUT",
    CheckVerdict.NOT_REACHED: "NOT REACHED",
    CheckVerdict.LEFT_OUT: "left out",
}


def lines_of(check: CheckResult) -> Iterator[str]:
    """Yield a line for the check, and one for each figure, problem and fix of it."""
    yield f"{check.number:>4}  {_MARKS[check.verdict]:<11} {check.name} ({check.seconds:.1f} s)"
    for figure in check.figures:
        mark = "" if figure.passed else "  <- beyond it"
        yield f"        {figure.name}: {_words(figure)}{mark}"
        if not figure.passed and figure.fix:
            yield f"        -> {figure.fix}"
    if check.problem:
        location = f" at {check.places[-1]}" if check.places else ""
        yield f"        {check.problem}{location}"
    if check.fix:
        yield f"        -> {check.fix}"


def _words(figure: Reading) -> str:
    value = figure.value if isinstance(figure.value, str) else f"{figure.value:g}"
    return f"{value} (limit: {figure.limit})" if figure.limit else value


def summary(results: Results) -> str:
    """Return one sentence about all checks."""
    passed = sum(check.verdict is CheckVerdict.PASSED for check in results.checks)
    text = f"{passed} of {len(results.checks)} checks passed in {results.seconds:.0f} seconds"
    if results.broken:
        numbers = ", ".join(check.number for check in results.broken)
        return f"{text}; required and not passed: {numbers}"
    return f"{text}; this was a rehearsal on the CPU" if results.rehearsed else text


def markdown(results: Results) -> str:
    machine = results.machine
    software = ", ".join(f"{name} {version}" for name, version in sorted(machine.software.items()))
    memory = f", {machine.memory_bytes / GIB:.1f} GiB" if machine.memory_bytes else ""
    device = f"{machine.gpu}{memory}, driver {machine.driver}" if machine.gpu else "CPU: a rehearsal"
    head = [
        "# GPU checks",
        "",
        f"Device: {device}  ",
        f"Software: {software}  ",
        f"{summary(results)}.",
        "",
        "| # | check | claim | passes where | required | result | figures |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(_row, results.checks), ""])


def _row(check: CheckResult) -> str:
    figures = "; ".join(f"{figure.name}: {_words(figure)}" for figure in check.figures)
    details = ". ".join(filter(None, (figures, check.problem)))
    cells = (
        check.number,
        check.name,
        check.claim,
        check.criterion,
        "yes" if check.required else "no",
        _MARKS[check.verdict],
        details,
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
