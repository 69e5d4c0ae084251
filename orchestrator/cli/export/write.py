"""`frontier export`: the chosen model in a folder of its own, complete or absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from orchestrator.cli.export.choice import Chosen, choose
from orchestrator.cli.export.retrain import retrain, retrained
from orchestrator.cli.heartbeat import heartbeat
from orchestrator.cli.paths import cache_of
from orchestrator.cli.run.provenance import version
from orchestrator.cli.worker_calls import ask
from orchestrator.config.overrides import WHERE
from orchestrator.contracts import layout
from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.exported import (
    BASE,
    MANIFEST,
    ExportAnswer,
    Exported,
    ExportRequest,
    ModelUse,
    WeightsLayout,
)
from orchestrator.contracts.files import draft, sha256_of, write_atomically
from orchestrator.contracts.ledger import AttemptRecord
from orchestrator.contracts.readers import ArrowReader, TableReader
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Family
from orchestrator.errors import ConfigError, InputError, LedgerError, Problem
from orchestrator.report import build_report
from orchestrator.report.render.model_card import CardFacts, model_card
from orchestrator.tracking.ledger import Ledger
from orchestrator.units import byte_size, duration

_CARD = "README.md"
_DIGESTED = (".json", ".safetensors", ".txt", ".model")


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
        order = _order(Path(chosen.trial.decisive.directory))
        _refuse_state_space(order.trial.backbone)
        attempt = retrain(ledger, chosen, order, console)
    if attempt is None:
        raise _not_kept(ledger, chosen)
    assert attempt.outcome is not None
    chosen = replace(chosen, outcome=attempt.outcome)
    kept = Path(attempt.directory) / layout.MODEL
    order = _order(kept.parent)
    use = _use(chosen, order)
    console.print(f"exporting {chosen.point.cell.name}, {chosen.how}", highlight=False)
    with draft(out) as folder:
        folder.mkdir()
        request = ExportRequest(
            use=use,
            kept=str(kept),
            weights=order.weights,
            cache_dir=str(cache_of(ledger.directory.parent)),
            out=str(folder),
            merge=merge,
        )
        with _waiting(console):
            [answer] = [ExportAnswer.model_validate(line) for line in _asked(request, chosen)]
        exported = _manifest(chosen, use, order, sweep, answer, folder)
        facts = CardFacts(
            exported, answer, sweep, chosen.task, chosen.point, chosen.comparison, chosen.outcome, chosen.how
        )
        write_atomically(folder / _CARD, model_card(facts))
        write_atomically(folder / MANIFEST, exported.model_dump_json(indent=1) + "\n")
        folder.rename(out)
    size = byte_size(sum(path.stat().st_size for path in out.rglob("*") if path.is_file()))
    what = "an adapter" if exported.layout is WeightsLayout.ADAPTER else "a whole model"
    console.print(
        f"exported {what} to {out} ({size}); {_CARD} has its terms, and how to load it without Frontier",
        highlight=False,
        soft_wrap=True,
    )
    return exported


def _asked(request: ExportRequest, chosen: Chosen) -> Iterator[dict[str, object]]:
    """Ask the worker; its refusals get the name of the trial."""
    try:
        yield from ask("workers.exported", request, "export")
    except InputError as error:
        raise InputError(f"{chosen.trial.name}: {error}") from None


def kept_attempt(ledger: Ledger, chosen: Chosen) -> AttemptRecord | None:
    """Return the attempt that has the weights: of the sweep, else one that trained the trial once more."""
    for attempt in (chosen.trial.decisive, retrained(ledger, chosen)):
        if attempt is not None and _is_here(ledger, Path(attempt.directory)):
            return attempt
    return None


def _refuse_state_space(backbone: BackboneSpec) -> None:
    """Raise InputError before a training that would be for nothing: the worker refuses these models too."""
    if backbone.family is Family.STATE_SPACE:
        raise InputError(
            f"backbone {backbone.name}: transformers has no classification head for state-space models, so "
            "nothing could load the folder without Frontier\n    -> name a cell with another model"
        )


def _is_here(ledger: Ledger, attempt: Path) -> bool:
    """Return whether there are weights of the attempt, after those of a sweep in a store were fetched."""
    if (attempt / layout.MODEL).is_dir():
        return True
    if ledger.mirror is None or not attempt.is_relative_to(ledger.directory):
        return False
    return ledger.mirror.pull_model(attempt)


def _not_kept(ledger: Ledger, chosen: Chosen) -> ConfigError:
    """Say why, and which other seeds of the cell were kept."""
    attempt, weights = chosen.trial.decisive, ledger.weights()
    assert attempt is not None
    why = weights.dropped.get(chosen.trial.name) if weights is not None else None
    reason = f"keep_weights: {attempt.keep_weights}" + (f"; {why}" if why else "")
    fix = "pass --retrain, which trains this trial once more and keeps them"
    cell = f"{chosen.point.cell.name}/"
    kept = [model.trial for model in weights.kept if model.trial.startswith(cell)] if weights else []
    if kept:
        fix += f"; or take the seed that was kept, --seed {kept[0].removeprefix(f'{cell}seed-')}"
    problem = f"no weights of {chosen.trial.name} were kept ({reason})"
    return ConfigError([Problem(attempt.directory, layout.MODEL, problem, fix)])


def _order(attempt: Path) -> AttemptOrder:
    try:
        return AttemptOrder.model_validate_json((attempt / layout.ORDER).read_bytes())
    except (OSError, ValueError):
        path = attempt / layout.ORDER
        fix = "fetch the records again, or name another cell"
        raise LedgerError(f"{path}: cannot be read as the order of an attempt\n    -> {fix}") from None


def _use(chosen: Chosen, order: AttemptOrder) -> ModelUse:
    trial, outcome = order.trial, chosen.outcome
    assert outcome.device is not None
    return ModelUse(
        kind=trial.task.kind,
        labels=outcome.labels,
        threshold=outcome.threshold,
        target_scale=outcome.target_scale,
        paired=_is_paired(trial.task),
        max_length=trial.recipe.max_length,
        backbone=trial.backbone,
        method=trial.method,
        precision=outcome.device.precision,
        batch_size=order.evaluation_size,
    )


def _is_paired(task: TaskSpec) -> bool:
    return isinstance(task.reader, TableReader | ArrowReader) and task.reader.second_text is not None


def _manifest(
    chosen: Chosen,
    use: ModelUse,
    order: AttemptOrder,
    sweep: SweepRecord,
    answer: ExportAnswer,
    folder: Path,
) -> Exported:
    assert chosen.outcome.device is not None
    digested = sorted(path for path in folder.rglob("*") if path.suffix in _DIGESTED)
    return Exported(
        frontier_version=version(),
        sweep=sweep.name,
        cell=chosen.point.cell,
        seed=chosen.trial.planned.seed,
        fingerprint=chosen.outcome.fingerprint,
        layout=answer.layout,
        use=use.model_copy(update={"backbone": _without_path(use.backbone, answer)}),
        task=order.trial.task,
        device_type=chosen.outcome.device.type,
        cpus=order.resources.threads,
        deterministic=order.deterministic,
        test=chosen.outcome.test,
        files={path.relative_to(folder).as_posix(): sha256_of(path) for path in digested},
    )


def _without_path(backbone: BackboneSpec, answer: ExportAnswer) -> BackboneSpec:
    """Return the backbone as the folder has it: inside it, without a path of this machine."""
    if answer.has_base:
        return backbone.model_copy(update={"weights": FolderWeights(folder=BASE), "keep_layers": None})
    if isinstance(backbone.weights, FolderWeights):
        return backbone.model_copy(update={"weights": FolderWeights(folder=".")})
    return backbone


@contextmanager
def _waiting(console: Console) -> Iterator[None]:
    def words(seconds: float) -> str:
        return f"writing the model; {duration(seconds)} so far"

    with (
        console.status("writing the model, and checking that it answers alike"),
        heartbeat(console, words, prefix=""),
    ):
        yield
