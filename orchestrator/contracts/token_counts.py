"""How many tokens the tokenizer of a backbone makes of a task's texts."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.record import Record
from orchestrator.contracts.task import TaskSpec


class TokenCounts(Record):
    """Counts of a sample of the training examples, special tokens included, before anything is cut."""

    examples: PositiveInt  # of the sample
    mean: PositiveFloat  # tokens of an example
    cut: dict[int, NonNegativeInt] = Field(default_factory=dict)  # examples that are longer, by length


class CountTokens(Record):
    """Texts of one task for some tokenizers, to `python -m workers.inspect tokens`."""

    task: TaskSpec
    root: str
    backbones: tuple[BackboneSpec, ...]
    cache_dir: str
    lengths: tuple[PositiveInt, ...]  # in tokens, that texts are cut to


class CountedTokens(Record):
    """The answer for one backbone; `counts` None if its tokenizer cannot be loaded here."""

    backbone: str
    counts: TokenCounts | None = None
