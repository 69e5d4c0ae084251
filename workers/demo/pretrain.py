"""Generate a small BERT: a WordPiece vocabulary, and a short pre-training on invented text.

The objective is BERT's masked words (Devlin et al. 2019). Its other one, next sentences, is left out, so
there is no pooler in the weights: trials train one together with their head.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from orchestrator.contracts.backbone import MadeWeights
from workers.distributed.saving import save_model

MAX_LENGTH = 128  # tokens, of a text and of the model
_BATCH = 16
_PEAK_RATE = 3e-3
_MASKED_SHARE = 0.25
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def pretrain(spec: MadeWeights, texts: Sequence[str], directory: Path) -> None:
    """Write weights and tokenizer in hub layout into the existing `directory`. On one thread the result is
    identical to the last bit for the same spec and texts."""
    tokenizer = train_tokenizer(texts, spec.vocabulary)
    torch.manual_seed(spec.seed)
    model = BertForMaskedLM(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=spec.hidden_size,
            num_hidden_layers=spec.layers,
            num_attention_heads=spec.heads,
            intermediate_size=spec.intermediate_size,
            max_position_embeddings=MAX_LENGTH,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )
    batches = _Batches(tokenizer, texts, spec.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=_PEAK_RATE, fused=True)
    model.train()
    for step in range(spec.steps):
        for group in optimiser.param_groups:
            group["lr"] = _PEAK_RATE * min(
                (step + 1) / (0.1 * spec.steps), (spec.steps - step) / (0.9 * spec.steps)
            )
        _loss(model, batches.draw()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
    save_model(model, directory)
    tokenizer.save_pretrained(directory)


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """Return an uncased WordPiece tokenizer of at most `vocabulary` entries that can spell every ASCII
    word."""
    # The trainer numbers "##x" in the random order of a hash map, and breaks ties by number. Given ahead as
    # special tokens they have fixed numbers, and one text always gives one vocabulary.
    characters = sorted({*"".join(texts).lower(), *string.printable.lower()} - {*string.whitespace})
    ahead = [*_SPECIAL, *(f"##{character}" for character in characters)]
    learnt = _uncased(models.WordPiece(unk_token="[UNK]"))
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=ahead, initial_alphabet=characters, show_progress=False
    )
    learnt.train_from_iterator(texts, trainer)
    tokenizer = _uncased(models.WordPiece(learnt.get_vocab(), unk_token="[UNK]"))
    begin, end = [(token, _SPECIAL.index(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.BertProcessing(end, begin)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def _uncased(model: models.WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


@dataclass(frozen=True)
class _Batch:
    inputs: dict[str, Tensor]  # (batch, length), words masked
    masked: Tensor  # (batch, length), bool
    words: Tensor  # (masked positions,), the original ids


class _Batches:
    """Draw texts at random and mask a quarter of their words: of 10 masked words 8 are hidden, 1 is replaced,
    1 stays."""

    def __init__(self, tokenizer: Any, texts: Sequence[str], seed: int) -> None:
        rows = tokenizer(list(texts), truncation=True, max_length=MAX_LENGTH)["input_ids"]
        self._rows = [torch.tensor(row) for row in rows]
        self._pad, self._mask = tokenizer.pad_token_id, tokenizer.mask_token_id
        self._vocabulary = len(tokenizer)
        self._random = torch.Generator().manual_seed(seed)

    def draw(self) -> _Batch:
        rows = torch.randint(len(self._rows), (_BATCH,), generator=self._random).tolist()
        ids = pad_sequence([self._rows[i] for i in rows], batch_first=True, padding_value=self._pad)
        masked = (torch.rand(ids.shape, generator=self._random) < _MASKED_SHARE) & (ids >= len(_SPECIAL))
        kind = torch.rand(ids.shape, generator=self._random)
        random_ids = torch.randint(len(_SPECIAL), self._vocabulary, ids.shape, generator=self._random)
        corrupted = torch.where(masked & (kind < 0.8), self._mask, ids)
        corrupted = torch.where(masked & (kind >= 0.9), random_ids, corrupted)
        inputs = {"input_ids": corrupted, "attention_mask": (ids != self._pad).long()}
        return _Batch(inputs, masked, ids[masked])


def _loss(model: Any, batch: _Batch) -> Tensor:
    """Return the loss at the masked positions only: scoring the vocabulary elsewhere would take most of the
    time."""
    hidden = model.bert(**batch.inputs).last_hidden_state
    return cross_entropy(model.cls(hidden[batch.masked]), batch.words)
