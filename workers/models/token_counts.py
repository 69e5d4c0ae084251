"""Count the tokens of a sample of a task's texts. Only numbers leave this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.token_counts import CountedTokens, CountTokens, TokenCounts
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import WeightsError
from workers.data.corpus import read_corpus
from workers.data.examples import Example, Tokens
from workers.models.foreign_tokenizers import bounded, reading_seconds
from workers.models.tokenizers import load_tokenizer
from workers.models.weights import weights_directory

_SAMPLE = 500  # examples


def count_tokens(request: CountTokens) -> Iterator[CountedTokens]:
    """Yield an answer per backbone. Raises what `read_corpus` raises."""
    corpus = read_corpus(request.task, Path(request.root), [Split.TRAIN])
    texts = [_texts(example) for example in _sample(corpus.splits[Split.TRAIN])]
    for backbone in request.backbones:
        try:
            counts = _counted(backbone, Path(request.cache_dir), texts, request.lengths)
        except (WeightsError, OSError):
            counts = None
        yield CountedTokens(backbone=backbone.name, counts=counts)


def _sample(examples: Sequence[Example]) -> Sequence[Example]:
    """Return examples from all of the split: files may be sorted."""
    count = min(_SAMPLE, len(examples))
    return [examples[number * len(examples) // count] for number in range(count)]


def _texts(example: Example) -> tuple[str, str | None]:
    """Return what a tokenizer is given of an example: a text, or two."""
    if isinstance(example, Tokens):
        return " ".join(example.tokens), None
    return example.text, example.second_text


def _counted(
    spec: BackboneSpec, cache_dir: Path, texts: Sequence[tuple[str, str | None]], lengths: Sequence[int]
) -> TokenCounts:
    tokenizer: Any = load_tokenizer(spec, weights_directory(spec, cache_dir, fetch=False))
    firsts, seconds = [first for first, _ in texts], [second or "" for _, second in texts]
    paired = any(second is not None for _, second in texts)
    with bounded(spec.name, reading_seconds(sum(map(len, firsts + seconds)))):
        rows = tokenizer(firsts, seconds if paired else None, verbose=False)["input_ids"]
    sizes = [len(row) for row in rows]
    return TokenCounts(
        examples=len(sizes),
        mean=max(1.0, sum(sizes) / len(sizes)),
        cut={length: sum(size > length for size in sizes) for length in lengths},
        read={length: max(1.0, sum(min(size, length) for size in sizes) / len(sizes)) for length in lengths},
    )
