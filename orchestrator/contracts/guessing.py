"""Guessing, one answer to everything, in words: the floor of all scores."""

from __future__ import annotations

from orchestrator.contracts.vocabulary import TaskKind

_ANSWERS = {
    TaskKind.NER: "no entity anywhere",
    TaskKind.MULTILABEL: "the same labels for every text, those that score best on train",
    TaskKind.REGRESSION: "always the same number, that of train",
}


def answer_to_all(kind: TaskKind) -> str:
    """Say what guessing is on a task of this kind."""
    return _ANSWERS.get(kind, "always the commonest class of train")
