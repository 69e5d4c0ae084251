"""`frontier report --what-if key=value,…`: its terms, and what they make of a sweep, on the console."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.cli.terminal import plain_table, styled
from orchestrator.config.catalogue import is_price_file, read_catalogue, read_prices
from orchestrator.config.problems import validate
from orchestrator.config.used_entries import NOTHING, apart
from orchestrator.config.yaml_sources import parse_yaml
from orchestrator.contracts.price import PriceBook
from orchestrator.contracts.vocabulary import Source
from orchestrator.errors import ConfigError, Problem, did_you_mean
from orchestrator.report.analysis.ownership import Ownership, WhatIf, what_if
from orchestrator.text_files import user_path
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.price_terms import Amount, Terms
from orchestrator.units import gibibytes, quantity, rounded

_WHERE = "--what-if"
_OF_THE_BOOK = ("currency", "as_of", "price_source")
KEYS = tuple(key for key in Terms.model_fields if key not in _OF_THE_BOOK)
_MOST_ROWS = 8  # of a task on the console; --json and the report have all


def reprice(ledger: Ledger, words: str) -> WhatIf:
    """Price a finished sweep from its records. Raises ConfigError with every mistake in `words`."""
    sweep = ledger.sweep()
    given, problems = _parsed(words)
    own = "prices" not in given  # then as they were at launch: a file may be gone, or say something else
    name = given.setdefault("prices", sweep.config.get("prices"))
    if name is None and not problems:
        names = ", ".join(sorted(_books(None, sweep.config)[0]))
        fix = f"say prices=NAME, a file of your own, or one of: {names}"
        problems.append(Problem(_WHERE, "prices", "is not given, and the sweep names none", fix))
    book = None
    if own and sweep.prices is not None:
        book = sweep.prices
    elif name is not None:
        book, wrong = _book(str(name), sweep.config)
        problems += wrong
    terms, wrong = _terms(given, book)
    problems += wrong
    if problems or book is None or terms is None:
        raise ConfigError(problems)
    return what_if(sweep, ledger.trials(), book, terms, ledger.examples)


def _parsed(words: str) -> tuple[dict[str, object], list[Problem]]:
    terms: dict[str, object] = {}
    problems = []
    for word in filter(None, words.split(",")):
        key, equals, text = word.strip().partition("=")
        if not equals or key not in KEYS:
            problem = f"unknown key, got {key!r}" if equals else f"not key=value, got {word!r}"
            problems.append(Problem(_WHERE, key if equals else "", problem, did_you_mean(key, KEYS)))
            continue
        terms[key], wrong = parse_yaml(text, _WHERE, key)
        problems += wrong
    return terms, problems


def _books(name: str | None, config: dict[str, Any]) -> tuple[dict[str, PriceBook], list[Problem]]:
    """Return the price lists of the catalogue and of those directories of the sweep that exist, and the
    problems of the named one."""
    directories = [Path(directory) for directory in config.get("catalogues", ())]
    catalogue, problems = read_catalogue([d for d in directories if d.is_dir()])
    used = {**NOTHING, "prices": [name] if name else (), "backbones": ()}
    return catalogue.prices, apart(problems, used, catalogue)[0]


def _book(name: str, config: dict[str, Any]) -> tuple[PriceBook | None, list[Problem]]:
    if is_price_file(name):
        return read_prices(user_path(Path.cwd(), name))
    books, problems = _books(name, config)
    if name in books:
        return books[name], problems
    problem = f"not in the catalogue, got {name!r}"
    return None, [*problems, Problem(_WHERE, "prices", problem, did_you_mean(name, books))]


def _terms(given: dict[str, object], book: PriceBook | None) -> tuple[Terms | None, list[Problem]]:
    """Return the terms. Without a book, the other problems are still reported."""
    of_the_book = dict.fromkeys(_OF_THE_BOOK, "")
    if book is not None:
        of_the_book = {"currency": book.currency, "as_of": book.as_of, "price_source": book.source}
    terms, invalid = validate(Terms, {**given, **of_the_book, "prices": given["prices"] or ""}, _WHERE)
    problems = list[Problem](invalid)
    device = given.get("device")
    if book is not None and isinstance(device, str) and book.device(device) is None:
        problem, suggestion = (
            f"{book.name} has no such device, got {device!r}",
            did_you_mean(device, book.devices),
        )
        problems.append(Problem(_WHERE, "device", problem, suggestion))
    return terms, problems


def show_what_if(priced: WhatIf, console: Console) -> None:
    terms = priced.terms
    for task in priced.tasks:
        if not task.rows:
            continue
        console.print()
        table = plain_table(
            "",
            "model/domain/method",
            title=f"{task.title}: what it costs to own, in {terms.currency}",
            numbers=("quality", "tuning", "training", "serving", "total", "a request", "memory"),
        )
        for row in task.rows[:_MOST_ROWS]:
            table.add_row(*_cells(row), style="dim" if row.fits is False else "")
        console.print(table)
        if len(task.rows) > _MOST_ROWS:
            console.print(f"… {quantity(len(task.rows) - _MOST_ROWS, 'more row')} in the report")
        for offer in task.pay_offs[:_MOST_ROWS]:
            console.print(offer.sentence, highlight=False)
        for why in dict.fromkeys(why for row in task.rows if (why := row.total.why)):
            console.print(styled("~", "yellow"), why, highlight=False)
    for note in priced.notes:
        console.print(note, style="dim", highlight=False)


def _cells(row: Ownership) -> tuple[str, ...]:
    """A tilde marks what is estimated."""
    seconds, memory = row.seconds_per_request, row.memory_bytes
    return (
        "◆" if row.cheapest else "",
        row.cell,
        "" if row.quality is None else f"{row.quality:.3f}",
        _said(row.tuning),
        _said(row.training),
        _said(row.serving),
        _said(row.total),
        "" if seconds.value is None else f"{_mark(seconds)}{rounded(seconds.value * 1000)} ms",
        ("" if memory.value is None else f"{_mark(memory)}{gibibytes(memory.value)}")
        + (" too much" if row.fits is False else ""),
    )


def _said(amount: Amount) -> str:
    return "?" if amount.value is None else f"{_mark(amount)}{rounded(amount.value)}"


def _mark(amount: Amount) -> str:
    return "~" if amount.source is Source.ESTIMATED else ""
