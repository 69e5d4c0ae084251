"""Tokens of texts whose entries do not state them: a worker asks the tokenizers that are on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from orchestrator.cli.paths import cache_of
from orchestrator.cli.session import Session
from orchestrator.cli.staging_pace import StagingPace
from orchestrator.cli.steps import showing
from orchestrator.cli.worker_calls import ask
from orchestrator.config.data_digests import is_data_here
from orchestrator.config.inputs import lengths_of
from orchestrator.config.known_counts import remember_tokens
from orchestrator.config.weights_digests import are_weights_here
from orchestrator.contracts import hub
from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.readers import HubReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.token_counts import CountedTokens, CountTokens, TokenCounts
from orchestrator.errors import InputError


def count_tokens(session: Session, console: Console) -> Session:
    """Let a worker count the tokens of a sample of the texts of tasks whose entries state none, by each
    tokenizer of the grid that is here and has not read them yet, or not for a length that they are cut to.
    What cannot be read stops nothing."""
    asked = [(task, names) for task, names in _uncounted(session) if names]
    if not asked:
        return session
    tokens = {name: dict(found) for name, found in session.inputs.tokens.items()}
    pace = StagingPace([task.name for task, _ in asked], frozenset(), "corpora are tokenised")
    with showing(console, pace.steps):
        for task, backbones in asked:
            try:
                counted = _asked(session, task, backbones)
            except InputError as refused:
                console.print(f"{task.name}: {refused}", style="yellow", highlight=False)
                counted = {}
            pace.ready(task.name)
            known = tokens.setdefault(task.name, {})
            known |= {name: counts.with_lengths_of(known.get(name)) for name, counts in counted.items()}
            _remember(session, task, {name: known[name] for name in counted})
    return replace(session, inputs=session.inputs.model_copy(update={"tokens": tokens}))


def _uncounted(session: Session) -> Iterator[tuple[TaskSpec, list[BackboneSpec]]]:
    """Yield the tasks of files whose tokens are not stated, with the backbones that have not read them."""
    cache, inputs, lengths = cache_of(session.sweep.storage), session.inputs, lengths_of(session.sweep)
    for name, task in session.tasks.items():
        if task.mean_tokens is not None or task.invented or not inputs.data.get(name):
            continue
        if _root(session, task) is None or not is_data_here(task, session.sweep.lock, cache):
            continue
        of_task = {c.backbone.name: c.backbone for c in session.sweep.grid.cells if c.task.spec.name == name}
        yield (
            task,
            [
                backbone
                for backbone in of_task.values()
                if not _has_read(inputs.tokens.get(name, {}).get(backbone.name), lengths[name])
                and inputs.weights.get(backbone.name) is not None
                and are_weights_here(backbone, cache)
            ],
        )


def _root(session: Session, task: TaskSpec) -> Path | None:
    """Return the folder that the task is read from, None if it is not on this machine."""
    reader = task.reader
    if isinstance(reader, HubReader):
        cache = cache_of(session.sweep.storage)
        return hub.snapshot_of(cache, reader.dataset, reader.revision, "datasets")
    return session.sweep.data_dir


def _has_read(counts: TokenCounts | None, lengths: Iterable[int]) -> bool:
    return counts is not None and counts.read.keys() >= set(lengths)


def _asked(session: Session, task: TaskSpec, backbones: list[BackboneSpec]) -> dict[str, TokenCounts]:
    request = CountTokens(
        task=task,
        root=str(_root(session, task)),
        backbones=tuple(backbones),
        cache_dir=str(cache_of(session.sweep.storage)),
        lengths=lengths_of(session.sweep)[task.name],
    )
    return tokens_by_backbone(request)


def tokens_by_backbone(request: CountTokens) -> dict[str, TokenCounts]:
    """Return what the worker counted by the name of the backbone, for those whose tokenizer is here. Raises
    InputError."""
    answers = map(CountedTokens.model_validate, ask("workers.inspect", request, "tokens"))
    return {answer.backbone: answer.counts for answer in answers if answer.counts is not None}


def _remember(session: Session, task: TaskSpec, counted: dict[str, TokenCounts]) -> None:
    weights = {name: str(session.inputs.weights[name]) for name in counted}
    data = session.inputs.data[task.name]
    assert data is not None
    remember_tokens(cache_of(session.sweep.storage), task, data, weights, counted)
