"""How many tokens the tokenizer of a backbone makes of a task's texts."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.record import Record
from orchestrator.contracts.task import TaskSpec


class TokenCounts(Record):
    """Counts of a sample of the training examples, special tokens included."""

    examples: PositiveInt  # of the sample
    mean: PositiveFloat  # tokens of an example, before anything is cut
    cut: dict[int, NonNegativeInt] = Field(default_factory=dict)  # examples that are longer, by length
    read: dict[int, PositiveFloat] = Field(default_factory=dict)  # tokens of an example cut to a length

    def with_lengths_of(self, earlier: TokenCounts | None) -> TokenCounts:
        """Return the counts with those of other lengths that were counted earlier in the same texts."""
        if earlier is None:
            return self
        return self.model_copy(update={"cut": earlier.cut | self.cut, "read": earlier.read | self.read})


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
