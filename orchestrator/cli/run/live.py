"""The display of a running sweep: live in a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from orchestrator.cli.heartbeat import heartbeat
from orchestrator.cli.run.kept_text import kept_line, over_limit_line
from orchestrator.cli.terminal import styled
from orchestrator.contracts.metrics import METRICS
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.execution.clock import Clock, SystemClock
from orchestrator.execution.launcher import (
    AttemptEnded,
    LaunchEvent,
    RunPlanned,
    TrialEnded,
    TrialLost,
    WeightsChosen,
)
from orchestrator.execution.progress import Best, Progress
from orchestrator.units import duration

_SECONDS_BETWEEN_LINES = 10.0
_MOST_RUNNING = 8  # names shown


class Display:
    """Draws `progress` as events come in. A context manager: the terminal is restored at its end."""

    def __init__(
        self,
        console: Console,
        progress: Progress,
        doing: Callable[[str], str | None] = lambda name: None,
        clock: Clock | None = None,
    ) -> None:
        """`doing`: what a running trial does, None where that cannot be seen."""
        self._console, self._progress, self._doing = console, progress, doing
        self._live = (
            Live(console=console, refresh_per_second=1, transient=True) if console.is_terminal else None
        )
        self._clock, self._starting = clock or SystemClock(), ExitStack()
        self._began: float | None = None  # when it was said what is ahead
        self._last_line: float | None = None
        self._told_dashboard = False
        self._over_limit: tuple[str, ...] = ()

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._starting.close()
        if self._live:
            self._live.stop()

    def begin(self, planned: RunPlanned) -> None:
        """Show what is ahead. Until the launcher tells of the time, show how long it takes to start."""
        self._progress.update(planned)
        if not self._progress.waiting:
            return
        self._began = self._clock.now()
        counts = self._counts()

        def words(seconds: float) -> str:
            return f"{counts}, {_starting(seconds)}"

        if self._live:
            began = self._began
            self._live.update(_Now(lambda: words(self._clock.now() - began)), refresh=True)
        else:
            self._console.print(counts, highlight=False, soft_wrap=True)
            self._starting.enter_context(heartbeat(self._console, words, self._clock, prefix=""))

    def update(self, event: LaunchEvent) -> None:
        self._progress.update(event)
        if hasattr(event, "at"):
            self._starting.close()
        self._tell_dashboard()
        if isinstance(event, WeightsChosen):
            self._tell_weights(event)
        if isinstance(event, AttemptEnded) and event.outcome.failure is not None:
            failure = event.outcome.failure
            self._console.print(
                styled(failure.kind, "red"),
                f"{event.name}, attempt {event.outcome.attempt}, in {failure.phase}: {failure.message}",
                highlight=False,
            )
        if self._live and hasattr(event, "at"):
            self._live.update(self._picture(), refresh=True)
        else:
            self._line(event)

    def _tell_dashboard(self) -> None:
        ready = self._progress.dashboard
        if ready is not None and not self._told_dashboard:
            self._told_dashboard = True
            line = f"Ray dashboard while this runs: {ready.url}/#/cluster"
            if ready.token:
                shown = ready.token if self._console.is_terminal else "is shown on a terminal only"
                line += f"  (token {shown})"  # who reads a log may not be who may use the cluster
            self._console.print(line, highlight=False, soft_wrap=True)

    def _tell_weights(self, event: WeightsChosen) -> None:
        """Print what did not fit, once, and why nothing more is dropped."""
        if event.problem is not None:
            self._console.print(styled("weights", "yellow"), event.problem, highlight=False, soft_wrap=True)
        if event.weights is not None and event.weights.over_limit != self._over_limit:
            self._over_limit = event.weights.over_limit
            if line := over_limit_line(event.weights):
                self._console.print(styled("weights", "yellow"), line, highlight=False, soft_wrap=True)

    def _line(self, event: LaunchEvent) -> None:
        at = getattr(event, "at", None)
        last = isinstance(event, TrialEnded) and not self._progress.waiting and not self._progress.running
        if at is None or not (
            last
            or isinstance(event, TrialLost)
            or self._last_line is None
            or at - self._last_line >= _SECONDS_BETWEEN_LINES
        ):
            return
        self._last_line = at
        parts = [self._counts_and_start(), *self._first(), *self._best()]
        self._console.print("  ".join(parts), highlight=False, soft_wrap=True)

    def _counts_and_start(self) -> str:
        """Return the counts; before the first trial has started, also how long that takes."""
        if self._progress.has_begun or self._began is None:
            return self._counts()
        return f"{self._counts()}, {_starting(self._clock.now() - self._began)}"

    def _counts(self) -> str:
        p = self._progress
        parts = [f"tuning {p.tuning_ended}/{p.tuning_total}"] if p.tuning_total else []
        parts += [f"{p.done_before + p.finished}/{p.done_before + p.total} done", f"{len(p.running)} running"]
        parts += [f"{p.lost} waiting for another node"] if p.lost else []
        if p.failed:
            parts.append(f"{p.failed} failed")
        parts.append(f"{p.device_hours:.3f} {p.unit}")
        if p.weights is not None and p.weights.kept:
            parts.append(kept_line(p.weights))
        if p.seconds_left is not None and (p.waiting or p.running):
            parts.append(f"about {duration(p.seconds_left)} left")
        return ", ".join(parts)

    def _first(self) -> list[str]:
        """Return what the first trial does, as long as no trial has ended."""
        p = self._progress
        if not p.running or p.done_before + p.finished + p.failed + p.tuning_ended:
            return []
        doing = self._doing(p.running[0])
        return [f"first trial: {doing}"] if doing else []

    def _best(self) -> list[str]:
        return [
            f"{_highest(task, best)} {_read(best):.3f}" for task, best in sorted(self._progress.best.items())
        ]

    def _picture(self) -> RenderableType:
        p = self._progress
        ended = p.done_before + p.finished + p.failed + p.unfinished + p.tuning_ended
        best = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        for task, leader in sorted(p.best.items()):
            best.add_row(_highest(task, leader), f"{_read(leader):.3f}", styled(leader.trial, "dim"))
        running = [styled(f"  {name}", "dim") for name in p.running[:_MOST_RUNNING]]
        bar = Table.grid()  # ends the line, which a bar alone does not
        bar.add_row(ProgressBar(total=p.done_before + p.total + p.tuning_total, completed=ended, width=60))
        return Group(
            bar,
            styled(self._counts_and_start()),
            *running,
            best,
        )


@dataclass(frozen=True)
class _Now:
    """A line that is written again each time that the terminal refreshes."""

    words: Callable[[], str]

    def __rich__(self) -> RenderableType:
        return styled(self.words())


def _starting(seconds: float) -> str:
    return f"and the start, which has taken {duration(seconds)} so far"


def closing_line(progress: Progress) -> str:
    """Return what became of the trials, for when the display has closed."""
    parts = [f"{progress.tuning_ended} candidates tried"] if progress.tuning_total else []
    parts += [f"{progress.finished} finished"]
    for state, count in ((TrialState.FAILED, progress.failed), (TrialState.UNFINISHED, progress.unfinished)):
        if count:
            parts.append(f"{count} {state}")
    return f"{', '.join(parts)}; {progress.device_hours:.3f} {progress.unit} allocated"


def _highest(task: str, best: Best) -> str:
    return f"{'highest' if METRICS[best.metric].higher_is_better else 'lowest'} {task}"


def _read(best: Best) -> float:
    """Return the metric as it is read: losses and errors without the sign that makes them quality."""
    return best.quality if METRICS[best.metric].higher_is_better else -best.quality
