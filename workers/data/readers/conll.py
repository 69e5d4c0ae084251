"""Read CoNLL files: one token per line, columns, a blank line between sentences, BIO tags (IOB2).

Comment lines (`# key = value`) are not tokens, and empty columns at the end of lines do not count. Only tabs,
or spaces and tabs, separate columns: other white space, such as U+00A0, is part of its token.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from orchestrator.contracts.readers import ConllReader
from orchestrator.contracts.sameness import Identity, spelling_fix, words_key
from orchestrator.contracts.vocabulary import Unit
from orchestrator.errors import DataError
from workers.data.examples import Tokens
from workers.data.faults import Faults
from workers.data.files import lines, read_text
from workers.data.holdout import Selector

TAG = re.compile(r"O|[BI]-\S+")
BIOES = re.compile(r"[ESLU]-\S+")  # or BILOU
FROM_BIOES = "rewrite BIOES or BILOU tags as BIO: S- or U- becomes B-, E- or L- becomes I-"
DOCUMENT = "-DOCSTART-"  # the first word of the line that begins a document in the CoNLL-2003 family
_COMMENT = re.compile(r"#(\s|[\w.-]+ ?=).*")
_BLANKS = re.compile("[ \t]+")


Rows = list[tuple[int, list[str]]]  # the lines of a sentence as (number, columns)


def read_conll(
    path: Path,
    name: str,
    reader: ConllReader,
    types: Collection[str] | None,
    faults: Faults,
    selected: Selector,
) -> Iterator[Tokens]:
    """Yield the selected sentences of one file in order. `name` begins their document ids; `types` None
    accepts any type.

    Without -DOCSTART- lines each sentence is its own document. The words identify a document. Raises
    DataError at the first malformed line if `faults` does; otherwise leaves its sentence out.
    """
    text = read_text(path)
    if "\r" in text and "\n" not in text:
        problem = "its lines end in carriage returns alone"
        raise DataError(
            str(path), None, problem, "write it with line feeds, alone or after a carriage return"
        )
    documents: dict[tuple[int, int], list[Rows]] = defaultdict(list)
    for number, (begun, rows) in enumerate(_blocks(lines(text), reader.separator), start=1):
        documents[begun, 0 if begun else number].append(rows)
    width = _width(columns for blocks in documents.values() for rows in blocks for _, columns in rows)
    for (begun, number), blocks in documents.items():
        if not selected(_identity(blocks, reader)):
            continue
        for rows in blocks:
            document = f"{name}#{begun or number}", Unit.DOCUMENT if begun else Unit.SENTENCE
            sentence = _sentence(str(path), rows, width, reader, types, document)
            if isinstance(sentence, DataError):
                faults.found(sentence)
                continue
            for (line, _), tag in zip(rows, sentence.tags, strict=True):
                if tag.startswith("B-"):
                    faults.spelt(tag[2:], str(path), line)
            yield sentence


def sentences_of(content: Sequence[str], separator: str) -> list[Rows]:
    """Return the lines of each sentence as (number, columns), without comments and -DOCSTART- lines."""
    return [rows for _, rows in _blocks(list(content), separator)]


def _identity(blocks: list[Rows], reader: ConllReader) -> Identity:
    """Return an identity that depends only on the words: after reannotation a document stays in its split."""
    column = reader.token_column
    return words_key(
        (columns[column] for _, columns in rows if -len(columns) <= column < len(columns)) for rows in blocks
    )


def _blocks(content: list[str], separator: str) -> Iterator[tuple[int, Rows]]:
    """Yield the rows of each sentence, with the number of documents begun so far."""
    block: Rows = []
    begun = 0
    # The blank line added at the end closes the last sentence of a file that lacks it.
    for number, line in enumerate([*content, ""], start=1):
        fields = line.split(maxsplit=1)
        if fields and fields[0] != DOCUMENT:
            if not _is_comment(line, separator, begins=not block):
                block.append((number, _columns(line, separator)))
            continue
        if block:
            yield begun, block
            block = []
        begun += bool(fields)


def _columns(line: str, separator: str) -> list[str]:
    return line.split("\t") if separator == "tab" else _BLANKS.split(line.strip(" \t"))


def _is_comment(line: str, separator: str, begins: bool) -> bool:
    """Return whether the line is certainly not a token. `begins`: no token of the sentence precedes it.

    With spaces as separators a comment looks like a token `#` with columns, so it must begin its sentence. A
    line with a tag is never treated as a comment.
    """
    separated = "\t" not in line if separator == "tab" else begins
    return separated and bool(_COMMENT.fullmatch(line)) and not any(map(TAG.fullmatch, line.split()))


def _width(rows: Iterable[list[str]]) -> int:
    """Return the number of columns of the first row, without final columns that are empty in every row. Cuts
    empty final columns off the rows."""
    rows = list(rows)
    if not rows:
        return 0
    filled = [
        max((column for column, cell in enumerate(row, start=1) if cell.strip()), default=0) for row in rows
    ]
    width = filled[0] if max(filled) == filled[0] else len(rows[0])
    for row, filled_width in zip(rows, filled, strict=True):
        del row[max(width, filled_width) :]
    return width


def _sentence(
    file: str,
    rows: list[tuple[int, list[str]]],
    width: int,
    reader: ConllReader,
    types: Collection[str] | None,
    document: tuple[str, Unit],
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
    name, unit = document
    return Tokens(tuple(tokens), tuple(tags), name, unit=unit)


def _cells(file: str, line: int, columns: list[str], width: int, reader: ConllReader) -> tuple[str, str]:
    if len(columns) != width:
        raise DataError(
            file,
            line,
            f"{len(columns)} {reader.separator}-separated columns, where the first token has {width}",
            "give every token line the same columns, remove comment lines, or set `separator` of the reader",
        )
    indices = [c + width if c < 0 else c for c in (reader.token_column, reader.tag_column)]
    if not all(0 <= index < width for index in indices) or indices[0] == indices[1]:
        raise DataError(
            file,
            line,
            f"{width} {reader.separator}-separated columns, so that token_column {reader.token_column} and "
            f"tag_column {reader.tag_column} are not two of them",
            "set `separator`, `token_column` and `tag_column` of the reader",
        )
    token, tag = columns[indices[0]], columns[indices[1]]
    if not token.strip():
        raise DataError(file, line, "the token is empty", "remove the line, or set `token_column`")
    return token, tag.strip()


def check_tag(file: str, line: int, tag: str, before: str, types: Collection[str] | None) -> None:
    """Raise DataError unless the tag may follow the tag before it; a sentence begins after "O"."""
    if not TAG.fullmatch(tag):
        raise DataError(
            file,
            line,
            "the tag is not O, B-type or I-type",
            FROM_BIOES if BIOES.fullmatch(tag) else "use BIO tags, or name their column in the reader",
        )
    if tag.startswith("I-") and before[2:] != tag[2:]:
        # Strict scoring ignores a mention without B-, so continuing would silently lose gold mentions.
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
            spelling_fix(tag[2:], types, "add it there, or correct the tag"),
        )
