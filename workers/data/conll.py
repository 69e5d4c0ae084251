"""CoNLL: one token a line, columns, a blank line between sentences, BIO tags (IOB2)."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from orchestrator.contracts.task import ConllReader
from orchestrator.errors import DataError
from workers.data.examples import Tokens
from workers.data.files import lines, read_text

_TAG = re.compile(r"O|[BI]-\S+")


def read_conll(path: Path, name: str, reader: ConllReader, types: Collection[str] | None) -> list[Tokens]:
    """The sentences of one file, in order. `name` begins their document ids; `types` None takes any type.

    Raises DataError at the first line that is wrong.
    """
    sentences: list[Tokens] = []
    tokens: list[str] = []
    tags: list[str] = []
    width: int | None = None
    content = lines(read_text(path))
    # The blank line added at the end closes the last sentence of a file that lacks it.
    for number, line in enumerate([*content, ""], start=1):
        if line.strip():
            columns = line.split("\t") if reader.separator == "tab" else line.split()
            width = width or len(columns)
            token, tag = _cells(str(path), number, columns, width, reader)
            _check_tag(str(path), number, tag, tags[-1] if tags else "O", types)
            tokens.append(token)
            tags.append(tag)
        elif tokens:
            sentences.append(Tokens(tuple(tokens), tuple(tags), f"{name}#{len(sentences) + 1}"))
            tokens, tags = [], []
    return sentences


def _cells(file: str, line: int, columns: list[str], width: int, reader: ConllReader) -> tuple[str, str]:
    if len(columns) != width:
        raise DataError(
            file,
            line,
            f"{len(columns)} {reader.separator}-separated columns, where the first token has {width}",
            "give every token line the same columns, or set `separator` of the reader",
        )
    places = [c + width if c < 0 else c for c in (reader.token_column, reader.tag_column)]
    if not all(0 <= place < width for place in places) or places[0] == places[1]:
        raise DataError(
            file,
            line,
            f"{width} {reader.separator}-separated columns, so that token_column {reader.token_column} and "
            f"tag_column {reader.tag_column} are not two of them",
            "set `separator`, `token_column` and `tag_column` of the reader",
        )
    token, tag = columns[places[0]], columns[places[1]]
    if not token.strip():
        raise DataError(file, line, "the token is empty", "remove the line, or set `token_column`")
    return token, tag.strip()


def _check_tag(file: str, line: int, tag: str, before: str, types: Collection[str] | None) -> None:
    if not _TAG.fullmatch(tag):
        raise DataError(
            file,
            line,
            "the tag is not O, B-type or I-type",
            "use BIO tags, or set `tag_column` of the reader",
        )
    if tag.startswith("I-") and before[2:] != tag[2:]:
        # Strict scoring knows no mention without its B-, so reading on would lose gold mentions unseen.
        raise DataError(
            file,
            line,
            "an I- tag that continues no mention of its type",
            "begin every mention with B- (BIO, also called IOB2)",
        )
    if types is not None and tag != "O" and tag[2:] not in types:
        raise DataError(
            file,
            line,
            "an entity type that `labels` of the task does not hold",
            "add it there, or mend the tag",
        )
