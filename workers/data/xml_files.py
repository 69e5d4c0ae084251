"""The XML of annotated notes as tools really write it: bare ampersands, page breaks, declared encodings.

Whatever is replaced is replaced by as many characters, or lies outside the text, so that all offsets hold.
"""

from __future__ import annotations

import codecs
import re
from xml.etree import ElementTree

from orchestrator.errors import DataError
from workers.data.corpus_files import Member

_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_DECLARED = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,39})["']""")
_ENCODINGS = ("utf-8", "utf-16", "ascii", "iso8859-1", "iso8859-2", "iso8859-15", "cp1250", "cp1252")
# Separators of pages, files and records: white space that XML does not allow.
_PAGE_BREAK = re.compile("[\x0b\x0c\x1c-\x1f]")
_PAGE_BREAK_REFERENCE = re.compile("&#(?:1[12]|2[89]|3[01]|x0*(?:[bBcC]|1[c-fC-F]));")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\ufffe\uffff]")
_AGAIN = "bring the file as it was distributed, or move it"


def parsed(member: Member) -> ElementTree.Element | DataError:
    """The root, or what is wrong with the file. No foreign exception is its context: they quote the text."""
    text = _decoded(member)
    if isinstance(text, DataError):
        return text
    if "<!DOCTYPE" in text:
        fault = "it declares a document type, whose entities are not expanded"
        return DataError(member.place, None, fault, _AGAIN)
    text = _PAGE_BREAK.sub(" ", text)
    if control := _CONTROL.search(text):
        fault = f"it holds U+{ord(control[0]):04X}, a character that XML does not allow"
        before = text.count("\n", 0, control.start())
        return DataError(
            member.place, before + 1, fault, "replace it by a space, so that all offsets stay right"
        )
    line: int | None = None
    try:
        return ElementTree.fromstring(_escaped(text))
    except ElementTree.ParseError as error:
        line = error.position[0]
    except ValueError:
        pass
    return DataError(member.place, line, "it is not XML", _AGAIN)


def _decoded(member: Member) -> str | DataError:
    """The text by the byte order mark, else by the declared encoding, else as UTF-8."""
    content = member.content
    declared = _DECLARED.match(content)
    named = declared[1].decode() if declared else "utf-8"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        named = "utf-16"
    elif content.startswith(codecs.BOM_UTF8):
        named = "utf-8"
    try:
        encoding = codecs.lookup(named).name
    except LookupError:
        encoding = ""
    if encoding not in _ENCODINGS:
        fault = "it declares an encoding that is not read"
        return DataError(member.place, 1, fault, f"convert it to one of {', '.join(_ENCODINGS)}")
    try:
        return content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    fault = f"it is not {encoding} text, {'as it declares' if declared else 'and declares no encoding'}"
    return DataError(member.place, line, fault, "convert it to UTF-8, or declare its encoding in line 1")


def _escaped(text: str) -> str:
    """With the ampersands escaped that some files hold bare. CDATA stays as it is, and so do all offsets."""
    parts, at = [], 0
    while at < len(text):
        start = text.find("<![CDATA[", at)
        end = text.find("]]>", start) if start >= 0 else -1
        if end < 0:
            start = end = len(text)
        outside = _PAGE_BREAK_REFERENCE.sub(" ", text[at:start])
        parts.append(_BARE_AMPERSAND.sub("&amp;", outside))
        parts.append(text[start:end])
        at = end
    return "".join(parts)
