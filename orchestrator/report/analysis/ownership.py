"""What owning each model of a finished sweep would cost: tuning, training over its seeds, and serving it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.price import PriceBook
from orchestrator.contracts.record import Record
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.task import TaskSpec
from orchestrator.report.analysis.break_even import BreakEven, OwningCost, break_evens
from orchestrator.report.analysis.cell_names import marked, marks_of
from orchestrator.report.analysis.holdings import Holding, holdings_of
from orchestrator.report.results.cells import ExamplesOf
from orchestrator.report.results.points import comparison_labels
from orchestrator.report.task_report import TaskReport
from orchestrator.tracking.price_terms import Amount, Terms
from orchestrator.tracking.prices import Pricing, estimated, measured, missing_amount, plus, times

_GIB = 2**30
_ONE_PROCESS = "it was not timed: that takes a finished trial of one process that shares no GPU"


class Ownership(Record):
    """One cell under one comparison key. Money is in the currency of the terms, over all of their years."""

    cell: str  # model/domain/method
    comparison: str | None  # label
    quality: float | None
    parameters: int | None  # of the whole model
    device_type: str  # that it was measured on
    seeds: int  # trained
    tuning: Amount  # its search, 0 where it had none
    training: Amount  # of all seeds
    serving: Amount
    errors: Amount | None  # None where the terms put no price on them
    total: Amount
    seconds_per_request: Amount  # of one serving device, at the batch of the terms
    energy_kwh: Amount  # of tuning, training and serving
    carbon_kg: Amount
    memory_bytes: Amount  # while serving
    fits: bool | None  # into the memory limit; None where there is none, or the memory is not known
    cheapest: bool = False  # in total, of those that fit


class TaskOwnership(Record):
    task: str
    title: str
    rows: tuple[Ownership, ...]  # by total, those without one last
    pay_offs: tuple[BreakEven, ...] = ()
    notes: tuple[str, ...] = ()


class WhatIf(Record):
    terms: Terms
    tasks: tuple[TaskOwnership, ...]
    notes: tuple[str, ...] = ()  # what the figures rest on


def marked_offers(answer: WhatIf, reports: Sequence[TaskReport]) -> WhatIf:
    """Add the notes on failed seeds to the sentences on what pays off."""
    marks = {task.task: marks_of(task.points) for task in reports}
    tasks = []
    for task in answer.tasks:
        offers = [
            pay.model_copy(update={"sentence": marked(pay.sentence, marks.get(task.task, {}))})
            for pay in task.pay_offs
        ]
        tasks.append(task.model_copy(update={"pay_offs": tuple(offers)}))
    return answer.model_copy(update={"tasks": tuple(tasks)})


def what_if(
    sweep: SweepRecord,
    trials: Iterable[TrialRecord],
    book: PriceBook,
    terms: Terms,
    examples_of: ExamplesOf = lambda attempt: None,
) -> WhatIf:
    """Compute the answer from the ledger alone; `trials` as `Ledger.trials()` gives them, `examples_of` as
    for `build_report`. Only finished trials count."""
    holdings = holdings_of(sweep, trials, terms, examples_of)
    pricing = Pricing(book, terms)
    return WhatIf(
        terms=terms,
        tasks=tuple(
            _task(task, [h for h in holdings if h.cell.task == name], pricing)
            for name, task in sweep.tasks.items()
        ),
        notes=_notes(terms, book),
    )


def _task(task: TaskSpec, holdings: Sequence[Holding], pricing: Pricing) -> TaskOwnership:
    labels = comparison_labels({holding.key for holding in holdings})
    rows, costs = list[Ownership](), list[OwningCost]()
    for holding in holdings:
        costs.append(_cost(holding, labels[holding.key], pricing))
        rows.append(_row(holding, costs[-1], pricing))
    requests = pricing.terms.requests_per_year
    cheapest = {label: _cheapest(costs, label, requests) for label in labels.values()}
    best = {(base.comparison, base.cell) for base in cheapest.values() if base is not None}
    marked = [row.model_copy(update={"cheapest": (row.comparison, row.cell) in best}) for row in rows]
    ordered = sorted(marked, key=lambda row: (row.total.value is None, row.total.value or 0.0, row.cell))
    bases = (_cheapest(_smallest(costs, label), label, requests) for label in labels.values())
    offers = (break_evens(base, costs, pricing.terms) for base in bases if base is not None)
    return TaskOwnership(
        task=task.name,
        title=task.title,
        rows=tuple(ordered),
        pay_offs=tuple(offer for group in offers for offer in group),
    )


def _cost(holding: Holding, label: str, pricing: Pricing) -> OwningCost:
    terms = pricing.terms
    tuning = plus(measured(0.0), *(pricing.money(use) for use in holding.tuned))
    training = plus(measured(0.0), *(pricing.money(use) for use in holding.trained))
    if holding.served:
        of_each_seed = [pricing.money(use, terms.utilisation) for use in holding.served]
        serving = times(plus(*of_each_seed), terms.years / len(of_each_seed))
    else:
        serving = missing_amount(_ONE_PROCESS)
    memory = max(holding.memory, key=lambda amount: amount.value or 0.0)
    limit = terms.memory_limit_gib
    fits = None if limit is None or memory.value is None else memory.value <= limit * _GIB
    return OwningCost(
        cell=holding.name,
        comparison=label,
        parameters=holding.parameters,
        quality=holding.quality,
        tuning=tuning,
        training=training,
        a_request=serving,
        an_error=_errors(holding.quality, terms),
        fits=fits,
        memory=memory,
    )


def _errors(score: float | None, terms: Terms) -> Amount | None:
    """Return the cost of errors for one request a year, over all years."""
    if terms.cost_per_error is None:
        return None
    if score is None or not 0 <= score <= 1:
        return missing_amount("its quality is no share of right answers")
    why = "the task's metric taken for the share of right answers"
    return estimated((1 - score) * terms.cost_per_error * terms.years, why)


def _row(holding: Holding, cost: OwningCost, pricing: Pricing) -> Ownership:
    terms = pricing.terms
    per_request = [pricing.carried(use) for use in holding.served]
    count = len(per_request)
    seconds = (
        times(plus(*per_request), 1 / count / holding.devices)
        if per_request
        else missing_amount(_ONE_PROCESS)
    )
    kwh = plus(measured(0.0), *(pricing.kwh(use) for use in (*holding.tuned, *holding.trained)))
    if holding.served and terms.requests_per_year:
        each = terms.requests_per_year * terms.years / count
        kwh = plus(kwh, *(times(pricing.kwh(use), each) for use in holding.served))
    return Ownership(
        cell=cost.cell,
        comparison=cost.comparison,
        quality=cost.quality,
        parameters=cost.parameters,
        device_type=holding.key[0],
        seeds=len(holding.trained),
        tuning=cost.tuning,
        training=cost.training,
        serving=times(cost.a_request, terms.requests_per_year) if terms.requests_per_year else measured(0.0),
        errors=None if cost.an_error is None else times(cost.an_error, terms.requests_per_year),
        total=cost.total(terms.requests_per_year),
        seconds_per_request=seconds,
        energy_kwh=kwh,
        carbon_kg=pricing.carbon_kg(kwh),
        memory_bytes=cost.memory,
        fits=cost.fits,
    )


def _cheapest(costs: Sequence[OwningCost], comparison: str, requests: float) -> OwningCost | None:
    """Return the cheapest in total of those that fit, None where no total is known."""
    fitting = [cost for cost in costs if cost.comparison == comparison and cost.fits is not False]
    totals = {cost.cell: cost.total(requests).value for cost in fitting}
    priced = [cost for cost in fitting if totals[cost.cell] is not None]
    return min(priced, key=lambda cost: (totals[cost.cell] or 0.0, cost.cell), default=None)


def _smallest(costs: Sequence[OwningCost], comparison: str) -> list[OwningCost]:
    """Return the smallest of those that fit under one comparison key: larger models are compared with it."""
    sized = [c for c in costs if c.comparison == comparison and c.fits is not False and c.parameters]
    least = min((c.parameters for c in sized if c.parameters is not None), default=None)
    return [c for c in sized if c.parameters == least]


def _notes(terms: Terms, book: PriceBook) -> tuple[str, ...]:
    notes = [f"Prices: {book.name} ({terms.market.replace('_', ' ')}), as of {book.as_of}. {book.source}"]
    batch = "one at a time" if terms.batch == "one" else "in batches of the task's size"
    years = f"{terms.years:g} year" if terms.years == 1 else f"{terms.years:g} years"
    notes.append(
        f"Serving: {terms.requests_per_year:,.0f} requests a year for {years}, answered "
        f"{batch} by devices that work {terms.utilisation:.0%} of the hours paid for. Adapters are not "
        "merged, and network, storage, staff and what idle devices draw are left out."
    )
    if book.note:
        notes.append(book.note)
    return tuple(notes)
