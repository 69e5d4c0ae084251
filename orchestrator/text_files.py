"""The one door for text files that the driver reads: decoded, or a problem with file, line and column."""

from __future__ import annotations

import os
import re
from pathlib import Path

from orchestrator.errors import ConfigError, Problem, did_you_mean

_BINARY = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "ZIP", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
# Control characters but line breaks and tabs, halves of pairs, and what is no character at all.
_FOREIGN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def user_path(directory: Path, text: str) -> Path:
    """Return what a user wrote as a path, absolute: relative to `directory`, `~` filled in where that user
    exists. Links are resolved, a circle of them is left."""
    return Path(os.path.realpath(directory / os.path.expanduser(text)))


def read_text(path: Path, where: str | None = None) -> str:
    """Return the text of a UTF-8 file, without a byte order mark. `where` is what a problem calls the file.

    Raises ConfigError where it cannot be read or decoded, or holds what no text holds.
    """
    where = where or str(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        siblings = [p.name for p in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
        fix = did_you_mean(path.name, siblings) if siblings else "check the path: the folder has no such file"
        raise ConfigError([Problem(where, "", "there is no such file", fix)]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = f"unreadable ({type(error).__name__}: {reason})"
        raise ConfigError([Problem(where, "", problem, "give a readable UTF-8 file")]) from None
    return _decoded(content, where)


def _decoded(content: bytes, where: str) -> str:
    for magic, kind in _BINARY.items():
        if content.startswith(magic):
            problem = f"expected a text file in UTF-8, got {kind}"
            raise ConfigError([Problem(where, "", problem, "save it as plain text in UTF-8")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = position(content[: error.start].decode("utf-8", "replace"), None)
        problem = f"not UTF-8: the byte 0x{content[error.start]:02x}"
        fix = "save the file as UTF-8"
        raise ConfigError([Problem(where, "", problem, fix, line=line, column=column)]) from None
    if wrong := control_characters(text, where):
        raise ConfigError(wrong)
    return text


def control_characters(text: str, where: str, key: str = "") -> list[Problem]:
    """Return one problem with the place of the first character that no text file holds, or nothing."""
    foreign = [found.start() for found in _FOREIGN.finditer(text)]
    if not foreign:
        return []
    more = f" (and {len(foreign) - 1} more of its kind)" if len(foreign) > 1 else ""
    line, column = position(text, foreign[0])
    problem = f"holds the control character U+{ord(text[foreign[0]]):04X}{more}"
    return [Problem(where, key, problem, "remove it", line=line, column=column)]


def position(text: str, index: int | None) -> tuple[int, int]:
    """Return line and column, from 1, of the character at `index` (None: of the one after the last)."""
    before = text[:index]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
