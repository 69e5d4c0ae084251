"""What the model of an MLflow run answers to one text. The source of these functions is written into it, and
runs there without Frontier."""

from __future__ import annotations

from typing import Any

import torch

from workers.data.readers.sentences import sentence_spans, word_spans


def logits_of(model: Any, tokenizer: Any, text: str, second: str | None, max_length: int) -> Any:
    """Return the logits of a text, or of a pair."""
    alike = tokenizer.num_special_tokens_to_add(pair=True) == tokenizer.num_special_tokens_to_add(pair=False)
    if second is not None and alike:
        second = "\n" + second  # this tokenizer puts nothing between the two
    cut = True if second is None else "longest_first"
    inputs = tokenizer(text, second, truncation=cut, max_length=max_length, return_tensors="pt")
    with torch.no_grad():
        return model(**inputs).logits[0]


def one_label(logits: Any, labels: list[str]) -> dict[str, Any]:
    """Return the most probable label, and the probability of each."""
    shares = logits.softmax(-1).tolist()
    named = {f"probability of {label}": share for label, share in zip(labels, shares, strict=True)}
    return {"label": labels[int(logits.argmax())], **named}


def any_labels(logits: Any, labels: list[str], threshold: float) -> dict[str, Any]:
    """Return the labels whose probability reaches the threshold, and the probability of each."""
    shares = logits.sigmoid().tolist()
    named = {f"probability of {label}": share for label, share in zip(labels, shares, strict=True)}
    given = [label for label, share in zip(labels, shares, strict=True) if share >= threshold]
    return {"labels": given, **named}


def number(logits: Any, mean: float, deviation: float) -> dict[str, Any]:
    """Return the number in the unit of the task."""
    return {"value": mean + deviation * logits[0].item()}


def joined(words: Any, tags: list[str], shares: list[float]) -> list[dict[str, Any]]:
    """Return the entities that a B- tag begins, as strict scoring counts them. `words`: start and end, which
    is exclusive. The probability of an entity is the lowest of its words' tags."""
    spans: list[dict[str, Any]] = []
    open_type = None
    for (start, end), tag, share in zip(words, tags, shares, strict=True):
        position, _, kind = tag.partition("-")
        if position == "B":
            spans.append({"start": start, "end": end, "type": kind, "probability": share})
            open_type = kind
        elif position == "I" and kind == open_type:
            spans[-1] |= {"end": end, "probability": min(spans[-1]["probability"], share)}
        else:
            open_type = None
    return spans


def entities(model: Any, tokenizer: Any, text: str, labels: list[str], max_length: int) -> dict[str, Any]:
    """Return the entities of a text. What a sentence has beyond `max_length` tokens is cut."""
    mentions: list[dict[str, Any]] = []
    for sentence in sentence_spans(text):
        spans = word_spans(text, sentence)
        if not spans:
            continue
        sentence_text = " ".join(text[start:end] for start, end in spans)
        inputs = tokenizer(
            sentence_text,
            truncation=True,
            max_length=max_length,
            return_tensors="pt",
            return_offsets_mapping=True,
        )
        pieces = list(zip(inputs.tokens(), inputs.pop("offset_mapping")[0].tolist(), strict=True))
        with torch.no_grad():
            shares = model(**inputs).logits[0].softmax(-1)
        at, tags, probabilities = 0, [], []
        for start, end in spans:
            after = at + end - start
            # The tag of a word is that of its first piece; "\u2581" is the space before it.
            first = [
                n for n, (piece, (a, b)) in enumerate(pieces) if piece != "\u2581" and a < after and b > at
            ]
            best = int(shares[first[0]].argmax()) if first else None
            tags.append("O" if best is None else labels[best])
            probabilities.append(1.0 if best is None else float(shares[first[0]][best]))
            at = after + 1
        mentions += joined(spans, tags, probabilities)
    return {"entities": mentions}
