"""What a split holds beside its size: numbers that change how a score on it is read."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from orchestrator.contracts.record import Record

Kinds = dict[str, NonNegativeInt]


class SplitCounts(Record):
    """Counts of one split of a task. None: not measured, or there is nothing of the kind to count.

    Examples are those that are used: after the caps of a recipe, where there is one. Texts are compared by
    `contracts.sameness`. What is left out and the ids (of documents or patients) are those of the files,
    before any cap; some ids may have given no example.
    """

    examples: NonNegativeInt
    classes: NonNegativeInt | None = None  # of the task; for ner its entity types
    absent_classes: NonNegativeInt | None = None  # those without an example here, for ner without a mention
    mentions: NonNegativeInt | None = None  # gold ones of ner
    max_length: PositiveInt | None = None  # tokens that a text is cut to
    # Words where no tokenizer was asked: then at least this much is cut.
    counted_in: Literal["tokens", "words"] = "tokens"
    cut: NonNegativeInt | None = None  # examples that are cut
    mentions_cut: NonNegativeInt | None = None  # mentions that are not complete before the cut
    also_in_train: NonNegativeInt | None = None  # examples of dev and test whose text is one of train
    also_in_dev: NonNegativeInt | None = None  # likewise of test
    mean_words: NonNegativeFloat | None = None  # of an example, for the forecast of a plan
    # Held-out relations without `id`: examples that agree in most of their words with one of train.
    near_train: NonNegativeInt | None = None
    ids: NonNegativeInt | None = None
    ids_also_in_train: NonNegativeInt | None = None
    ids_also_in_dev: NonNegativeInt | None = None
    skipped: Kinds | None = None  # malformed records that on_bad_record left out, by fault
    set_aside: Kinds | None = None  # sound annotations or records that no example has, by kind

    @property
    def recall_ceiling(self) -> float:
        """Return the recall that no model of these tokens can exceed."""
        return 1 - self.mentions_cut / self.mentions if self.mentions and self.mentions_cut else 1.0
