"""CoNLL: one token a line, columns, a blank line between sentences, BIO tags (IOB2)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from orchestrator.contracts.sameness import Identity, words_key
from orchestrator.contracts.task import ConllReader
from orchestrator.errors import DataError
from workers.data.examples import Tokens
from workers.data.faults import Faults
from workers.data.files import lines, read_text
from workers.data.holdout import Wanted

_TAG = re.compile(r"O|[BI]-\S+")
_DOCUMENT = "-DOCSTART-"  # the first word of the line that begins a document in the CoNLL-2003 family


Rows = list[tuple[int, list[str]]]  # the lines of a sentence: number and columns


def read_conll(
    path: Path,
    name: str,
    reader: ConllReader,
    types: Collection[str] | None,
    faults: Faults,
    wanted: Wanted,
) -> list[Tokens]:
    """The wanted sentences of one file, in order. `name` begins their document ids; `types` None takes any
    type.

    Without -DOCSTART- lines each sentence is a document of its own. A document's id is its words. Raises
    DataError at the first line that is wrong, where `faults` does; else leaves out its sentence.
    """
    sentences: list[Tokens] = []
    width: int | None = None
    text = read_text(path)
    if "\r" in text and "\n" not in text:
        fault = "its lines end in carriage returns alone"
        raise DataError(str(path), None, fault, "write it with line feeds, alone or after a carriage return")
    documents: dict[tuple[int, int], list[Rows]] = defaultdict(list)
    for number, (begun, block) in enumerate(_blocks(lines(text)), start=1):
        rows = [(n, line.split("\t") if reader.separator == "tab" else line.split()) for n, line in block]
        width = width or len(rows[0][1])
        documents[begun, 0 if begun else number].append(rows)
    for (begun, number), blocks in documents.items():
        if not wanted(_identity(blocks, reader)):
            continue
        for rows in blocks:
            found = _sentence(str(path), rows, width or 0, reader, types, f"{name}#{begun or number}")
            if isinstance(found, DataError):
                faults.found(found)
            else:
                sentences.append(found)
    return sentences


def _identity(blocks: list[Rows], reader: ConllReader) -> Identity:
    """The words, whatever their tags: annotated anew, a document stays in its split."""
    column = reader.token_column
    return words_key(
        (columns[column] for _, columns in rows if -len(columns) <= column < len(columns)) for rows in blocks
    )


def _blocks(content: list[str]) -> Iterator[tuple[int, list[tuple[int, str]]]]:
    """The numbered lines of each sentence, after how many documents were begun."""
    block: list[tuple[int, str]] = []
    begun = 0
    # The blank line added at the end closes the last sentence of a file that lacks it.
    for number, line in enumerate([*content, ""], start=1):
        words = line.split(maxsplit=1)
        if words and words[0] != _DOCUMENT:
            block.append((number, line))
            continue
        if block:
            yield begun, block
            block = []
        begun += bool(words)


def _sentence(
    file: str,
    rows: list[tuple[int, list[str]]],
    width: int,
    reader: ConllReader,
    types: Collection[str] | None,
    document: str,
) -> Tokens | DataError:
    tokens: list[str] = []
    tags: list[str] = []
    try:
        for number, columns in rows:
            token, tag = _cells(file, number, columns, width, reader)
            check_tag(file, number, tag, tags[-1] if tags else "O", types)
            tokens.append(token)
            tags.append(tag)
    except DataError as error:
        return error
    return Tokens(tuple(tokens), tuple(tags), document)


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


def check_tag(file: str, line: int, tag: str, before: str, types: Collection[str] | None) -> None:
    """Raises DataError unless the tag may follow the one before it; a sentence begins after "O"."""
    if not _TAG.fullmatch(tag):
        raise DataError(
            file,
            line,
            "the tag is not O, B-type or I-type",
            "use BIO tags, or name their column in the reader",
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
