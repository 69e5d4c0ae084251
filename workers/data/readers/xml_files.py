"""Parse the XML of annotated notes as real tools write it: bare ampersands, page breaks, declared encodings.

Every replacement has the same length or is outside the text, so all offsets stay valid.
"""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterator
from xml.etree import ElementTree

from orchestrator.errors import DataError
from workers.data.files import foreign_kind
from workers.data.readers.corpus_files import Member

_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_DECLARED = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,39})["']""")
_ENCODINGS = ("utf-8", "utf-16", "ascii", "iso8859-1", "iso8859-2", "iso8859-15", "cp1250", "cp1252")
# Separators of pages, files and records: white space that XML does not allow.
_PAGE_BREAK = re.compile("[\x0b\x0c\x1c-\x1f]")
_PAGE_BREAK_REFERENCE = re.compile("&#(?:1[12]|2[89]|3[01]|x0*(?:[bBcC]|1[c-fC-F]));")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\ufffe\uffff]")
_DECLARATION = re.compile(r"<\?xml\s")
_REFERENCE = re.compile(r"&#(?:([0-9]{1,7})|x([0-9A-Fa-f]{1,6}));")
_MOST_TAGS = 200_000  # per file; a parser takes seconds for the millions that fit into MEMBER_BYTES
_AGAIN = "bring the file as it was distributed, or move it"


def parsed(member: Member) -> ElementTree.Element | DataError:
    """Return the root or the problem of the file. No foreign exception is its context: they quote the
    text."""
    text = _decoded(member)
    if isinstance(text, DataError):
        return text
    if "<!DOCTYPE" in text:
        problem = "it declares a document type, whose entities are not expanded"
        return DataError(member.place, None, problem, _AGAIN)
    if text.count("<") > _MOST_TAGS:
        problem = f"it has more than {_MOST_TAGS:,} tags, which no annotated note has"
        return DataError(member.place, None, problem, _AGAIN)
    text = _PAGE_BREAK.sub(" ", text)
    if control := _CONTROL.search(text):
        problem = f"it holds U+{ord(control[0]):04X}, a character that XML does not allow"
        before = text.count("\n", 0, control.start())
        return DataError(
            member.place, before + 1, problem, "replace it by a space, so that all offsets stay right"
        )
    line: int | None = None
    escaped = _escaped(text)
    try:
        return ElementTree.fromstring(escaped)  # noqa: S314, no DOCTYPE, so no entities; bounded in size
    except ElementTree.ParseError as error:
        line = error.position[0]
    except ValueError:
        pass
    return _broken(member.place, escaped) or DataError(member.place, line, "it is not XML", _AGAIN)


def _broken(location: str, text: str) -> DataError | None:
    """Return a problem that the parser does not distinguish from text, else None."""
    text = "".join(outside + "\n" * cdata.count("\n") for outside, cdata in _pieces(text))
    for match in _DECLARATION.finditer(text):
        if match.start():
            problem = "the XML declaration (<?xml …) is not at the beginning of the file"
            fix = "remove what is before it, be it a blank line, or split the file there"
            return DataError(location, text.count("\n", 0, match.start()) + 1, problem, fix)
    for match in _REFERENCE.finditer(text):
        code = int(match[1]) if match[1] else int(match[2], 16)
        if code > sys.maxunicode or _CONTROL.match(chr(code)) or 0xD800 <= code < 0xE000:
            problem = f"it refers to U+{code:04X} (&#…;), a character that XML does not allow"
            line = text.count("\n", 0, match.start()) + 1
            return DataError(location, line, problem, "write a space instead, so that all offsets stay right")
    return None


def _decoded(member: Member) -> str | DataError:
    """Return the text, decoded by the byte order mark, else by the declared encoding, else as UTF-8."""
    content = member.content
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    foreign = foreign_kind(content)
    if foreign is not None and (not marked or content.startswith(codecs.BOM_UTF32_LE)):
        return DataError(member.place, None, *foreign)
    declared = _DECLARED.match(content)
    encoding_name = declared[1].decode() if declared else "utf-8"
    if marked:
        encoding_name = "utf-16"
    elif content.startswith(codecs.BOM_UTF8):
        encoding_name = "utf-8"
    try:
        encoding = codecs.lookup(encoding_name).name
    except LookupError:
        encoding = ""
    if encoding not in _ENCODINGS:
        problem = "it declares an encoding that is not read"
        return DataError(member.place, 1, problem, f"convert it to one of {', '.join(_ENCODINGS)}")
    # A declaration that can be read byte by byte is not in UTF-16.
    line = 1
    if marked or encoding != "utf-16":
        try:
            return content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
    problem = f"it is not {encoding} text, {'as it declares' if declared else 'and declares no encoding'}"
    return DataError(member.place, line, problem, "convert it to UTF-8, or declare its encoding in line 1")


def _escaped(text: str) -> str:
    """Return the text with its bare ampersands escaped. CDATA and all offsets into it stay the same."""
    parts = []
    for outside, cdata in _pieces(text):
        parts.append(_BARE_AMPERSAND.sub("&amp;", _PAGE_BREAK_REFERENCE.sub(" ", outside)))
        parts.append(cdata)
    return "".join(parts)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield text outside CDATA, and the CDATA that follows it."""
    position = 0
    while position < len(text):
        start = text.find("<![CDATA[", position)
        end = text.find("]]>", start) if start >= 0 else -1
        if end < 0:
            start = end = len(text)
        yield text[position:start], text[start:end]
        position = end
