"""The terms that a trained model inherits: those of its backbone and of its data, the strictest first."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from orchestrator.contracts.backbone import BackboneSpec, MadeWeights, RandomWeights
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Sensitivity


class Strictness(IntEnum):
    AGREEMENT = 0  # who may have the data is named in a contract
    RESTRICTED = 1  # use is limited: no commerce, or a list of forbidden uses
    UNKNOWN = 2
    FREE = 3


class Term(NamedTuple):
    of: str  # what the terms are of, as a noun
    licence: str | None
    strictness: Strictness


_FREE = ("apache", "mit", "bsd", "cc0", "cc by 4.0", "cc-by-4.0", "public domain")
_NONE = "no terms"
_AGREEMENTS = ("data use agreement", "credentialed", "dua")
# Identifiers of the hub.
_IDENTIFIERS = {
    "apache-2.0": "apache-2.0",
    "mit": "mit",
    "llama 2 community license": "llama2",
    "llama 3.1 community license": "llama3.1",
    "llama 3.2 community license": "llama3.2",
}


def terms_of(backbone: BackboneSpec, task: TaskSpec) -> tuple[Term, ...]:
    """Return the terms, the strictest first."""
    data = f"the data, {task.title}"
    if task.invented:
        terms = [Term(f"{data} (generated)", _NONE, Strictness.FREE)]
    else:
        strictness = _strictness(task.licence)
        if task.licence is None and task.data is Sensitivity.SENSITIVE:
            strictness = Strictness.AGREEMENT
        terms = [Term(data, task.licence, strictness)]
    terms.append(_of_backbone(backbone))
    return tuple(sorted(terms, key=lambda term: term.strictness))


def _of_backbone(backbone: BackboneSpec) -> Term:
    name = f"the backbone, {backbone.name}"
    if backbone.licence is None and isinstance(backbone.weights, MadeWeights | RandomWeights):
        return Term(f"{name} (generated)", _NONE, Strictness.FREE)
    return Term(name, backbone.licence, _strictness(backbone.licence))


def hub_licence(terms: tuple[Term, ...]) -> tuple[str | None, str | None]:
    """Return the licence's identifier on the hub, and its name where that is `other`; None where there are no
    terms."""
    first = terms[0]
    if first.strictness is Strictness.UNKNOWN:
        return "other", "unknown"
    if first.strictness is Strictness.FREE:
        first = next(term for term in terms if term.of.startswith("the backbone"))
    if first.licence == _NONE:
        return None, None
    identifier = _IDENTIFIERS.get((first.licence or "").casefold())
    if identifier is not None:
        return identifier, None
    return "other", (first.licence or "see the terms in this card")


def _strictness(licence: str | None) -> Strictness:
    if licence is None:
        return Strictness.UNKNOWN
    words = licence.casefold()
    if any(sign in words for sign in _AGREEMENTS):
        return Strictness.AGREEMENT
    return Strictness.FREE if words.startswith(_FREE) and "nc" not in words else Strictness.RESTRICTED
