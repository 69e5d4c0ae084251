"""What is in an exported folder: the model, its card and its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orchestrator.cli.export.choice import Chosen
from orchestrator.cli.paths import cache_of
from orchestrator.cli.run.provenance import version
from orchestrator.cli.worker_calls import ask
from orchestrator.contracts import layout
from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.exported import BASE, MANIFEST, ExportAnswer, Exported, ExportRequest, ModelUse
from orchestrator.contracts.files import sha256_of, write_atomically
from orchestrator.contracts.readers import ArrowReader, TableReader
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Family
from orchestrator.errors import InputError, LedgerError
from orchestrator.report.render.model_card import CardFacts, model_card
from orchestrator.tracking.ledger import Ledger

CARD = "README.md"
_DIGESTED = (".json", ".safetensors", ".txt", ".model")


def write_contents(
    ledger: Ledger, sweep: SweepRecord, chosen: Chosen, kept: Path, folder: Path, *, merge: bool = False
) -> tuple[Exported, ExportAnswer]:
    """Write the model of the weights in `kept` to the empty `folder`; its manifest comes last. Raises
    InputError where the weights are damaged or cannot be used without Frontier."""
    order = order_of(kept.parent)
    use = _use(chosen, order)
    request = ExportRequest(
        use=use,
        kept=str(kept),
        weights=order.weights,
        cache_dir=str(cache_of(ledger.directory.parent)),
        out=str(folder),
        merge=merge,
    )
    [answer] = [ExportAnswer.model_validate(line) for line in _asked(request, chosen)]
    exported = _manifest(chosen, use, order, sweep, answer, folder)
    facts = CardFacts(
        exported, answer, sweep, chosen.task, chosen.point, chosen.comparison, chosen.outcome, chosen.how
    )
    write_atomically(folder / CARD, model_card(facts))
    write_atomically(folder / MANIFEST, exported.model_dump_json(indent=1) + "\n")
    return exported, answer


def refuse_state_space(backbone: BackboneSpec) -> None:
    """Raise InputError before a training that would be for nothing: the worker refuses these models too."""
    if backbone.family is Family.STATE_SPACE:
        raise InputError(
            f"backbone {backbone.name}: transformers has no classification head for state-space models, so "
            "nothing could load the folder without Frontier\n    -> name a cell with another model"
        )


def is_here(ledger: Ledger, attempt: Path) -> bool:
    """Return whether there are weights of the attempt, after those of a sweep in a store were fetched."""
    if (attempt / layout.MODEL).is_dir():
        return True
    if ledger.mirror is None or not attempt.is_relative_to(ledger.directory):
        return False
    return ledger.mirror.pull_model(attempt)


def _asked(request: ExportRequest, chosen: Chosen) -> Iterator[dict[str, object]]:
    """Ask the worker; its refusals get the name of the trial."""
    try:
        yield from ask("workers.exported", request, "export")
    except InputError as error:
        raise InputError(f"{chosen.trial.name}: {error}") from None


def order_of(attempt: Path) -> AttemptOrder:
    """Return the order of an attempt. Raises LedgerError where it is damaged."""
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
        fold=chosen.trial.planned.fold,
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
