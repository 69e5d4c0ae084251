"""Read i2b2 2012 and 2014: an XML file with the text of a record and stand-off annotations.

    <TEXT><![CDATA[...]]></TEXT>
    <TAGS><EVENT id="E1" start="36" end="47" text="mild asthma" type="PROBLEM" ... /> ... </TAGS>

Offsets count characters from the start of the CDATA content, the end exclusive. Text is cut into lines and
words before it is compared with the annotations, so that no word boundary gives one away.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from orchestrator.contracts.readers import I2b2XmlReader
from orchestrator.contracts.sameness import id_key, spelling_fix
from orchestrator.contracts.vocabulary import Unit
from orchestrator.errors import DataError
from workers.data.examples import Tokens
from workers.data.faults import Faults
from workers.data.holdout import Selector
from workers.data.readers.corpus_files import Member, members
from workers.data.readers.sentences import Span, word_spans
from workers.data.readers.xml_files import parsed
from workers.data.spans import WordSpan, tag_sentences

_OFFSET = re.compile(r"[0-9]{1,9}")
_UNSPACED = re.compile(r"\S+")
# Tools that escape twice leave these in annotations or in the text; the last one is undone last.
_ESCAPES = (("&apos;", "'"), ("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_LONGEST_ESCAPE = 6


def read_xml(
    name: str,
    path: Path,
    reader: I2b2XmlReader,
    types: Collection[str] | None,
    faults: Faults,
    selected: Selector,
) -> Iterator[Tokens]:
    """Yield the sentences of the selected patients, in the order of the files of one directory or archive.

    Each line is a sentence; lines that share an annotation are joined, so that it stays whole. (This is the
    only way in which gold affects the input, also of test: cutting would score halves of a mention.) A
    document that cannot be read is a problem, and so is an annotation that does not match its offsets or has
    a type outside `types` (None accepts any). Annotations of other elements, annotations without a type,
    repeated ones, and those that share a word with a longer one are set aside.
    """
    files = members(path, (".xml",))
    if not files:
        raise DataError(str(path), None, "there is no .xml file in it", "name a directory or archive of them")
    for number, member in enumerate(files, start=1):
        stem = member.path.stem
        patient = id_key(stem.partition(reader.patient_before)[0] if reader.patient_before else stem)
        group, unit = (patient, Unit.PATIENT) if reader.patient_before else (None, Unit.DOCUMENT)
        if selected(patient):
            for words, tags in _document(member, reader, types, faults):
                yield Tokens(words, tags, f"{name}#{number}", group, unit)


def _document(
    member: Member, reader: I2b2XmlReader, types: Collection[str] | None, faults: Faults
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield the words and tags of each sentence that holds a word."""
    root = parsed(member)
    if isinstance(root, DataError):
        faults.found(root)
        return
    body, annotations = root.find("TEXT"), root.find("TAGS")
    if body is None or annotations is None:
        problem, fix = (
            "there is no TEXT or no TAGS in it",
            "bring the file as it was distributed, or move it",
        )
        faults.found(DataError(member.place, None, problem, fix))
        return
    text = body.text or ""
    words = _words(text, reader)
    spans: dict[WordSpan, None] = {}
    for number, element in enumerate(annotations, start=1):
        if reader.element is not None and element.tag != reader.element:
            if "start" in element.attrib:  # links between annotations have no "start"
                faults.set_aside["of another element"] += 1
            continue
        kind = element.get(reader.attribute, "").strip()
        if not kind:
            faults.set_aside["untyped"] += 1
            continue
        span = _span(element, kind, text, words)
        location = f"{member.place}, annotation {number}"
        if span is None:
            fix = "count characters from the start of the CDATA content from 0, the end exclusive"
            faults.found(DataError(location, None, "it is not at its offsets", fix))
        elif types is not None and kind not in types:
            problem = "an entity type that `labels` of the task does not hold"
            fix = spelling_fix(kind, types, "add it there, or correct the annotation")
            faults.found(DataError(location, None, problem, fix))
        elif span in spans:
            faults.set_aside["repeated"] += 1
        else:
            faults.spelt(kind, location, None)
            spans[span] = None
    yield from _sentences(text, words, list(spans), faults)


def _words(text: str, reader: I2b2XmlReader) -> list[Span]:
    if reader.tokenised:
        return [match.span() for match in _UNSPACED.finditer(text)]
    return word_spans(text, (0, len(text)))


def _span(element: ElementTree.Element, kind: str, text: str, words: Sequence[Span]) -> WordSpan | None:
    """Return the words that share a character with the annotation; None if the text at its offsets
    differs."""
    offsets, wording = [element.get(key, "") for key in ("start", "end")], element.get("text", "")
    if not all(_OFFSET.fullmatch(offset) for offset in offsets):
        return None
    start, end = map(int, offsets)
    if not 0 <= start < end <= len(text) or end - start > _LONGEST_ESCAPE * len(wording):
        return None
    first = bisect_right(words, start, key=lambda word: word[1])
    stop = bisect_left(words, end, key=lambda word: word[0])
    if first >= stop or _plain(text[start:end]) != _plain(wording):
        return None
    return WordSpan(first, stop, kind)


def _plain(wording: str) -> str:
    """Return the text without escapes and with one space for any white space: XML attributes have no line
    breaks."""
    for escape, character in _ESCAPES:
        wording = wording.replace(escape, character)
    return " ".join(wording.split())


def _sentences(
    text: str, words: Sequence[Span], spans: Sequence[WordSpan], faults: Faults
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    ends = [match.start() for match in re.finditer("\n", text)]
    bounds = [0, *(bisect_left(words, (end, end)) for end in ends), len(words)]  # of the words of each line
    for inside, tags in tag_sentences(bounds, spans, faults):
        yield tuple(text[a:b] for a, b in words[inside]), tags
