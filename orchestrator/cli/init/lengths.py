"""How long texts are by the tokenizers that are on this machine, before a sweep of theirs exists."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.cli.init.models import Start
from orchestrator.cli.init.study import LENGTHS, TokenisedLength
from orchestrator.cli.token_counts import tokens_by_backbone
from orchestrator.config import Catalogue
from orchestrator.config.weights_digests import are_weights_here
from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.token_counts import CountTokens
from orchestrator.errors import InputError

_CUT = 0.05  # share of the texts that a length may cut


def backbones_here(catalogue: Catalogue, begin: Start, cache: Path) -> list[BackboneSpec]:
    """Return the backbones of a first sweep whose weights, and so tokenizers, are on this machine."""
    keys = [(model, domain) for model in begin.models for domain in begin.domains]
    backbones = [catalogue.backbones[key] for key in keys if key in catalogue.backbones]
    return [backbone for backbone in backbones if are_weights_here(backbone, cache)]


def length_by_tokenizers(
    spec: TaskSpec, root: Path, backbones: Iterable[BackboneSpec], cache: Path
) -> TokenisedLength | None:
    """Return the least usual length that cuts at most one text in twenty, else the longest; None if no
    tokenizer is here. A file that cannot be read is left to the reading of every row, which says all that is
    wrong with it."""
    request = CountTokens(
        task=spec, root=str(root), backbones=tuple(backbones), cache_dir=str(cache), lengths=LENGTHS
    )
    if not request.backbones:
        return None
    try:
        counts = tokens_by_backbone(request)
    except InputError:
        return None
    if not counts:
        return None
    fitting = [n for n in LENGTHS if all(c.cut[n] <= _CUT * c.examples for c in counts.values())]
    return TokenisedLength(min(fitting, default=LENGTHS[-1]), tuple(counts), cuts_more=not fitting)
