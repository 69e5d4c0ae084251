"""`frontier status --watch`: a running sweep, from its ledger alone, until Ctrl-C or its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.heartbeat import heartbeat
from orchestrator.cli.status.so_far import SoFar
from orchestrator.cli.status.time_left import Pace, TimeLeft
from orchestrator.cli.terminal import styled
from orchestrator.contracts.ledger import device_unit
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.status import SweepStanding, Watcher
from orchestrator.units import duration, quantity, rounded

_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_BETWEEN_PULLS = 15.0  # of records in an object store
_MOST_RUNNING = 6
_HOUR = 3600.0


@dataclass(frozen=True)
class Burn:
    """What the sweep has taken and takes, in hours of the devices that its trials ask for."""

    unit: str
    spent: float
    an_hour: float  # devices in use
    limit: float | None
    money: str | None  # the limit in money, in words, at the rate that the budget's gate went by


def watch(
    ledger: Ledger,
    console: Console,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], object] = time.sleep,
) -> bool:
    """Show the sweep until nothing is left to do, no driver runs it, or Ctrl-C. Return whether it is over.

    A log gets a line now and then, as far as something has changed, and the whole page at the end."""
    page = Page(ledger, now)
    with (
        Live(Text("reading the records"), console=console, auto_refresh=False) as live,
        heartbeat(console, lambda seconds: page.news(), prefix=""),
    ):
        try:
            while True:
                live.update(page.draw(), refresh=True)
                if page.is_over:
                    return True
                sleep(_SECONDS_BETWEEN_LOOKS)
        except KeyboardInterrupt:
            return False


class Page:
    """The screen of `--watch`; the ledger is read each time that it is drawn."""

    def __init__(self, ledger: Ledger, now: Callable[[], float]) -> None:
        self._ledger, self._now = ledger, now
        self._watcher, self._pace, self._so_far = Watcher(ledger), Pace(), SoFar(ledger.examples)
        self._pulled = -_SECONDS_BETWEEN_PULLS
        self.is_over = False
        self._summary = self._printed = ""

    def news(self) -> str:
        """Return the last counts and the time left, "" where they were returned before."""
        if self._summary == self._printed:
            return ""
        self._printed = self._summary
        return self._summary

    def draw(self) -> RenderableType:
        at, mirror = self._now(), self._ledger.mirror
        due = mirror is None or at - self._pulled >= _SECONDS_BETWEEN_PULLS
        if mirror is not None and due:
            mirror.pull()
            self._pulled = at
        status = self._watcher.look(ask_driver=due)
        if status.plan_changed:
            self._pace, self._so_far = Pace(), SoFar(self._ledger.examples)
        for record in status.fresh:
            attempt = record.decisive
            if attempt is not None and attempt.bill is not None and record.planned.candidate is None:
                seconds = attempt.bill.wall_seconds + sum(attempt.inherited_phases.values())
                self._pace.learn(seconds, record.planned.forecast_seconds)
            self._so_far.add(record, status.sweep)
        stopped = status.driver is None and mirror is None
        self.is_over = not status.running and (not status.waiting or stopped)
        return Group(*self._lines(status, at))

    def _lines(self, status: SweepStanding, at: float) -> list[RenderableType]:
        lines: list[RenderableType] = [_title(status), _bar(status), styled(_counts(status))]
        burn, left = self._burn(status, at), self._left_words(status, at)
        self._summary = "; ".join(filter(None, (_counts(status), left)))
        lines += [styled(line) for line in (_burn_words(burn), left) if line]
        lines += [styled(f"waiting: {reason}") for reason in _reasons(status, burn)]
        for running in status.running[:_MOST_RUNNING]:
            since = duration(max(0.0, at - running.since))
            lines.append(styled(f"  {running.trial.name}  {since}", "dim"))
        if len(status.running) > _MOST_RUNNING:
            lines.append(styled(f"  … {len(status.running) - _MOST_RUNNING} more running", "dim"))
        return [*lines, *self._so_far.tables(status.sweep)]

    def _burn(self, status: SweepStanding, at: float) -> Burn:
        gpus = any(trial.resources.gpus for trial in status.sweep.trials)
        unit = "GPU-hours" if gpus else "core-hours"
        held = [r for r in status.running if bool(r.trial.resources.gpus) == gpus]
        ended = sum(s for kind, s in status.billed.items() if device_unit(kind) == unit)
        going = sum((max(0.0, at - r.since)) * r.trial.resources.devices for r in held)
        spent, rate = (ended + going) / _HOUR, sum(r.trial.resources.devices for r in held)
        budget = status.sweep.config.get("budget") or {}
        limit, money = budget.get("gpu_hours" if gpus else "core_hours"), None
        price, book = status.sweep.money_per_device_hour, status.sweep.prices
        if budget.get("money") is not None and price and book is not None:
            text = f"{spent * price:.2f} of {budget['money']:g} {book.currency}"
            money = f"{text}, {rate * price:.2f} an hour"
            limit = min(x for x in (limit, budget["money"] / price) if x is not None)
        return Burn(unit, spent, rate, limit, money)

    def _left_words(self, status: SweepStanding, at: float) -> str:
        left = [r.trial for r in status.running] + status.waiting
        if not left or not status.running:
            return ""
        elapsed = [max(0.0, at - r.since) for r in status.running]
        time_left = self._pace.left([t.seconds_left for t in left], elapsed, len(status.running))
        return _time_words(time_left)


def _time_words(left: TimeLeft | None) -> str:
    if left is None:
        return "time left: not known until a trial has finished"
    if left.interval is None:
        return f"about {duration(left.seconds)} left; no interval from one finished trial"
    low, high = (duration(end) for end in left.interval)
    return f"about {duration(left.seconds)} left (95 % {low} to {high}, over the trials so far)"


def _title(status: SweepStanding) -> Text:
    driver = f"  {status.driver}" if status.driver else ""
    return Text.assemble((status.sweep.name, "bold"), (driver, "dim"))


def _bar(status: SweepStanding) -> RenderableType:
    total = sum(status.states.values()) + sum(status.candidates.values())
    ended = total - len(status.running) - len(status.waiting)
    line = Table.grid()  # a bar by itself ends no line
    line.add_row(ProgressBar(total=max(1, total), completed=ended, width=60))
    return line


def _counts(status: SweepStanding) -> str:
    names = Counter(r.trial.candidate is None for r in status.running)
    waiting = sum(t.candidate is None for t in status.waiting)
    parts = [f"{status.states[TrialState.FINISHED]:,} of {sum(status.states.values()):,} finished"]
    parts += [f"{names[True]} running"] if names[True] else []
    parts += [f"{waiting:,} waiting"] if waiting else []
    if status.failures:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(status.failures.items()))
        parts.append(f"failed: {kinds}")
    if status.candidates:
        parts.append(
            f"candidates {status.candidates[TrialState.FINISHED]} of {sum(status.candidates.values())}"
        )
    if status.sweep.refused:
        parts.append(f"{quantity(len(status.sweep.refused), 'cell')} refused")
    return ", ".join(parts)


def _burn_words(burn: Burn) -> str:
    text = f"{burn.spent:.3f} {burn.unit}"
    if burn.limit is not None:
        text += f" of {rounded(burn.limit, 4)}"
    text += f", {burn.an_hour:g} an hour now" if burn.an_hour else ""
    text += f"; {burn.money}" if burn.money else ""
    if burn.limit is not None and burn.an_hour and burn.spent < burn.limit:
        text += (
            f"; the budget lasts {duration((burn.limit - burn.spent) / burn.an_hour * _HOUR)} at this rate"
        )
    return text


def _reasons(status: SweepStanding, burn: Burn) -> list[str]:
    """Return why the waiting trials do not run yet."""
    count = len(status.waiting)
    if not count:
        return []
    what = f"{quantity(count, 'trial')}"
    if burn.limit is not None and burn.spent >= burn.limit:
        return [f"{what}, as the budget is spent: raise `budget` and rerun the sweep"]
    if status.driver is None and not status.running:
        return [f"{what}, as no driver is running: `frontier run` with the sweep's file resumes it"]
    lines = []
    if not status.running:
        lines.append(
            f"{what}, until the first devices are allocated: the driver is starting, or the cluster is "
            "scaling up"
        )
    else:
        needs = Counter(_needs(t.resources.gpus, t.resources.cpus) for t in status.waiting)
        each = "; ".join(f"{number:,} for {need} each" for need, number in needs.most_common(3))
        lines.append(f"{each}; {_all_devices(len(status.running))}")
    searches = {t.cell.name for t in status.waiting if t.candidate is not None}
    if searches:
        lines.append(f"the seeds of {quantity(len(searches), 'cell')}, until the search before them is over")
    if status.again:
        lines.append(
            f"{quantity(status.again, 'trial')} of these for another attempt: interrupted, to be resumed"
        )
    stale = status.states[TrialState.STALE]
    if stale:
        lines.append(
            f"{stale:,} of these {'has' if stale == 1 else 'have'} only stale results (from other settings)"
        )
    return lines


def _all_devices(running: int) -> str:
    return (
        "the 1 running trial uses all devices"
        if running == 1
        else f"the {running:,} running trials use all devices"
    )


def _needs(gpus: float, cpus: float) -> str:
    return f"{gpus:g} GPU" + ("" if gpus == 1 else "s") if gpus else quantity(int(cpus), "core")
