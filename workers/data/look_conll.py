"""Recognise a CoNLL file: which columns are words and tags, and what separates them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from orchestrator.contracts.data_look import DataLook
from orchestrator.errors import DataError
from workers.data.labels import doubt_about_labels
from workers.data.readers.conll import BIOES, DOCUMENT, FROM_BIOES, TAG, sentences_of

_MOSTLY = 0.5  # share of the words that are in no mention
_MOST_OTHERS = 0.02  # share of the lines whose last column is no tag: mistakes, which the reader will name


def look_at_conll(content: Sequence[str]) -> DataLook | None:
    """Return what the file holds, None if it does not look like words with BIO tags, one a line."""
    for separator in ("tab", "space"):
        look = _with(content, separator)
        if look is not None:
            return look
    return None


def refuse_other_tags(file: str, content: Sequence[str]) -> None:
    """Raise DataError for words with tags of another scheme, one a line. They are told by the O of most words
    and by the blank lines between sentences, and none of them is quoted: it may be a word."""
    for separator in ("tab", "space"):
        sentences = sentences_of(content, separator)
        rows = [columns for sentence in sentences for _, columns in sentence]
        tags = Counter(columns[-1].strip() for columns in rows)
        others = set(tags) - {"O"}
        if len(sentences) < 2 or min(map(len, rows)) < 2 or not others:
            continue
        if tags["O"] < _MOSTLY * len(rows) or any(" " in columns[0] for columns in rows):
            continue
        if any(map(BIOES.fullmatch, others)):
            raise DataError(file, None, "its words have BIOES or BILOU tags", FROM_BIOES)
        if all(tag.startswith("I-") for tag in others):
            fix = "begin every mention with B- (BIO, also called IOB2)"
            raise DataError(file, None, "no tag of its words begins with B-", fix)
        fix = "write B- before the tag of the first word of each mention, and I- before those of the others"
        raise DataError(file, None, "its words have tags that do not begin with B- or I-", fix)


def tags_of_words(values: Iterable[Any]) -> bool:
    """Return whether the items of lists are BIO tags, with at least one mention."""
    distinct = {value if isinstance(value, str) else None for value in values}
    return None not in distinct and all(map(TAG.fullmatch, distinct)) and distinct > {"O"}  # type: ignore[arg-type]


def _with(content: Sequence[str], separator: Literal["tab", "space"]) -> DataLook | None:
    sentences = sentences_of(content, separator)
    rows = [columns for sentence in sentences for _, columns in sentence]
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    tags = Counter(columns[-1].strip() for columns in rows if len(columns) == width)
    others = sum(count for tag, count in tags.items() if not TAG.fullmatch(tag))
    mentions = Counter({tag[2:]: count for tag, count in tags.items() if tag.startswith("B-")})
    if width < 2 or not mentions or others > _MOST_OTHERS * tags.total():
        return None
    numbered = width > 2 and all(columns[0].isdigit() for columns in rows if len(columns) == width)
    lengths = sorted(map(len, sentences))
    return DataLook(
        format="conll",
        rows=len(sentences),
        separator=separator,
        token_column=int(numbered),
        tag_column=width - 1,
        entities=None
        if doubt_about_labels(mentions) and len(mentions) > 1
        else dict(sorted(mentions.items())),
        long_words=lengths[int(0.95 * (len(lengths) - 1))],
        documents=sum(line.split(maxsplit=1)[:1] == [DOCUMENT] for line in content),
    )
