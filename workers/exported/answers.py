"""What an exported model answers to texts: probabilities of labels, a number, or entities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orchestrator.contracts.exported import ModelUse
from orchestrator.contracts.vocabulary import TaskKind
from workers.batches import FlatSplit, by_length
from workers.data.examples import Example, MultilabelText, RegressionText, Text, Tokens
from workers.data.readers.sentences import Span, sentence_spans, word_spans
from workers.exported.one_text import joined
from workers.exported.texts import Given
from workers.models.masks import padding_known
from workers.tasks import Encoded, encode, predicted_values
from workers.thresholds import probabilities

_OUTSIDE = "O"


@dataclass(frozen=True, repr=False)
class Answerer:
    """A model with its tokenizer, on a device."""

    model: Any
    tokenizer: Any
    use: ModelUse
    device: torch.device

    def answer(self, given: Sequence[Given]) -> list[dict[str, Any]]:
        """Return one record per text, in their order; offsets are characters of the text as it was given."""
        if self.use.kind is TaskKind.NER:
            return self._entities(given)
        if self.use.kind is TaskKind.REGRESSION:
            return self._numbers(given)
        return self._any_labels(given) if self.use.kind is TaskKind.MULTILABEL else self._labels(given)

    def _labels(self, given: Sequence[Given]) -> list[dict[str, Any]]:
        first = self.use.labels[0]
        encoded = self._encoded([Text(g.text, g.second_text, first, str(g.number)) for g in given])
        logits = torch.stack(self._logits(encoded))
        bests, all_shares = logits.argmax(-1).tolist(), logits.softmax(-1).tolist()
        return [
            {
                "label": self.use.labels[best],
                "probabilities": dict(zip(self.use.labels, map(_rounded, shares), strict=True)),
                "cut": was_cut,
            }
            for best, shares, was_cut in zip(bests, all_shares, encoded.were_cut, strict=True)
        ]

    def _numbers(self, given: Sequence[Given]) -> list[dict[str, Any]]:
        encoded = self._encoded([RegressionText(g.text, g.second_text, "", str(g.number)) for g in given])
        values = predicted_values(encoded, [logits.numpy() for logits in self._logits(encoded)]).tolist()
        return [
            {"value": _rounded(value), "cut": was_cut}
            for value, was_cut in zip(values, encoded.were_cut, strict=True)
        ]

    def _any_labels(self, given: Sequence[Given]) -> list[dict[str, Any]]:
        assert self.use.threshold is not None
        encoded = self._encoded([MultilabelText(g.text, g.second_text, "", str(g.number)) for g in given])
        records = []
        for logits, was_cut in zip(self._logits(encoded), encoded.were_cut, strict=True):
            shares = dict(zip(self.use.labels, probabilities(logits.numpy()).tolist(), strict=True))
            records.append(
                {
                    "labels": [label for label, share in shares.items() if share >= self.use.threshold],
                    "probabilities": {label: _rounded(share) for label, share in shares.items()},
                    "cut": was_cut,
                }
            )
        return records

    def _entities(self, given: Sequence[Given]) -> list[dict[str, Any]]:
        parts = [(place, words) for place, g in enumerate(given) for words in self._parts(g.text)]
        records: list[dict[str, Any]] = [{"entities": []} for _ in given]
        if not parts:
            return records
        encoded = self._encoded([self._tokens(given[place].text, words) for place, words in parts])
        logits = self._logits(encoded)
        # Of all texts at once: a call for each would take longer than the model.
        all_shares = torch.split(torch.cat(logits).softmax(-1), [len(each) for each in logits])
        for (place, words), firsts, shares in zip(parts, encoded.places, all_shares, strict=True):
            records[place]["entities"] += _spans(words, firsts, shares.tolist(), self.use.labels)
        return records

    def _parts(self, text: str) -> list[list[Span]]:
        """Return the words of each sentence; a sentence that is too long in parts that fit."""
        sentences = [word_spans(text, sentence) for sentence in sentence_spans(text)]
        return self._fitting(text, [words for words in sentences if words])

    def _fitting(self, text: str, parts: Sequence[list[Span]]) -> list[list[Span]]:
        if not parts:
            return []
        fitting: list[list[Span]] = []
        encoded = self._encoded([self._tokens(text, words) for words in parts])
        for words, was_cut in zip(parts, encoded.were_cut, strict=True):
            middle = len(words) // 2
            halves = [words[:middle], words[middle:]]
            fitting += self._fitting(text, halves) if was_cut and middle else [words]
        return fitting

    def _tokens(self, text: str, words: Sequence[Span]) -> Tokens:
        """Return the words with some tag, which no answer depends on."""
        tokens = tuple(text[start:end] for start, end in words)
        return Tokens(tokens, self.use.labels[:1] * len(tokens), "")

    def _encoded(self, examples: Sequence[Example]) -> Encoded:
        use = self.use
        return encode(use.kind, examples, use.labels, self.tokenizer, use.max_length, scale=use.target_scale)

    def _logits(self, encoded: Encoded) -> list[Tensor]:
        """Return the logits on the CPU, in the order of the examples."""
        flat = FlatSplit(encoded, self.tokenizer.pad_token_id, self.device)
        logits: list[Any] = [None] * len(encoded)
        self.model.eval()
        with torch.inference_mode():
            for rows in flat.rows(by_length(flat.lengths, self.use.batch_size)):
                batch = flat.batch(rows)
                with padding_known(batch.padded, batch.labels.device):
                    answered = self.model(**batch.inputs).logits.float().cpu()
                for place, row in zip(rows.places, answered, strict=True):
                    logits[place] = row
        return logits


def _spans(
    words: Sequence[Span], firsts: Sequence[int | None], shares: list[list[float]], labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the entities of words; a word that was cut, without a first piece, is outside of all. `shares`:
    [pieces, labels]."""
    bests = [None if first is None else shares[first].index(max(shares[first])) for first in firsts]
    tags = [_OUTSIDE if best is None else labels[best] for best in bests]
    probabilities = [
        1.0 if first is None or best is None else _rounded(shares[first][best])
        for first, best in zip(firsts, bests, strict=True)
    ]
    return joined(words, tags, probabilities)


def _rounded(share: float) -> float:
    return round(share, 6)
