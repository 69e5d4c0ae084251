"""`frontier export`: the chosen model in a folder of its own, complete or absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from orchestrator.cli.export.choice import Chosen, choose
from orchestrator.cli.export.contents import (
    CARD,
    is_here,
    order_of,
    refuse_state_space,
    write_contents,
)
from orchestrator.cli.export.retrain import retrain, retrained
from orchestrator.cli.heartbeat import heartbeat
from orchestrator.config.overrides import WHERE
from orchestrator.contracts import layout
from orchestrator.contracts.exported import Exported, WeightsLayout
from orchestrator.contracts.files import draft
from orchestrator.contracts.ledger import AttemptRecord
from orchestrator.errors import ConfigError, Problem
from orchestrator.report import build_report
from orchestrator.tracking.ledger import Ledger
from orchestrator.units import byte_size, duration


def export_model(
    ledger: Ledger,
    cell: str | None,
    out: Path,
    console: Console,
    *,
    budget: float | None = None,
    seed: str = "best",
    merge: bool = False,
    again: bool = False,
) -> Exported:
    """Write the folder `out`, which must not exist. `cell`, `budget` and `seed` as `choose` takes them;
    `again` trains the trial once more if its weights were not kept.

    Raises ConfigError for wrong words and where no weights were kept; InputError where they are damaged or
    cannot be used without Frontier.
    """
    if out.exists():
        problem = f"{out} exists already"
        raise ConfigError([Problem(WHERE, "--out", problem, "remove it, or give another folder")])
    sweep = ledger.sweep()
    trials = list(ledger.trials())
    report = build_report(sweep, trials, examples_of=ledger.examples)
    chosen = choose(report, trials, cell, budget, seed)
    attempt = kept_attempt(ledger, chosen)
    if attempt is None and again:
        assert chosen.trial.decisive is not None
        order = order_of(Path(chosen.trial.decisive.directory))
        refuse_state_space(order.trial.backbone)
        attempt = retrain(ledger, chosen, order, console)
    if attempt is None:
        raise _not_kept(ledger, chosen)
    assert attempt.outcome is not None
    chosen = replace(chosen, outcome=attempt.outcome)
    kept = Path(attempt.directory) / layout.MODEL
    console.print(f"exporting {chosen.point.cell.name}, {chosen.how}", highlight=False)
    with draft(out) as folder:
        folder.mkdir()
        with _waiting(console):
            exported, _ = write_contents(ledger, sweep, chosen, kept, folder, merge=merge)
        folder.rename(out)
    size = byte_size(sum(path.stat().st_size for path in out.rglob("*") if path.is_file()))
    what = "an adapter" if exported.layout is WeightsLayout.ADAPTER else "a whole model"
    console.print(
        f"exported {what} to {out} ({size}); {CARD} has its terms, and how to load it without Frontier",
        highlight=False,
        soft_wrap=True,
    )
    return exported


def kept_attempt(ledger: Ledger, chosen: Chosen) -> AttemptRecord | None:
    """Return the attempt that has the weights: of the sweep, else one that trained the trial once more."""
    for attempt in (chosen.trial.decisive, retrained(ledger, chosen)):
        if attempt is not None and is_here(ledger, Path(attempt.directory)):
            return attempt
    return None


def _not_kept(ledger: Ledger, chosen: Chosen) -> ConfigError:
    """Say why, and which other seeds of the cell were kept."""
    attempt, weights = chosen.trial.decisive, ledger.weights()
    assert attempt is not None
    why = weights.dropped.get(chosen.trial.name) if weights is not None else None
    reason = f"keep_weights: {attempt.keep_weights}" + (f"; {why}" if why else "")
    fix = "pass --retrain, which trains this trial once more and keeps them"
    cell = f"{chosen.point.cell.name}/"
    kept = [model.trial for model in weights.kept if model.trial.startswith(cell)] if weights else []
    if kept and chosen.trial.planned.fold is None:
        fix += f"; or take the seed that was kept, --seed {kept[0].removeprefix(f'{cell}seed-')}"
    problem = f"no weights of {chosen.trial.name} were kept ({reason})"
    return ConfigError([Problem(attempt.directory, layout.MODEL, problem, fix)])


@contextmanager
def _waiting(console: Console) -> Iterator[None]:
    def words(seconds: float) -> str:
        return f"writing the model; {duration(seconds)} so far"

    with (
        console.status("writing the model, and checking that it answers alike"),
        heartbeat(console, words, prefix=""),
    ):
        yield
