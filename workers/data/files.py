"""Bytes on disk to text, with every fault of the disk and of the encoding as a DataError."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import DataError


def read_text(path: Path) -> str:
    """The whole file as text. UTF-8, with or without a byte order mark."""
    content, fault = _content(path)
    if fault is not None:
        raise DataError(
            str(path), None, fault, "check data_dir, and `files` of the task, which are paths below it"
        )
    text, line = _decoded(content)
    if text is None:
        raise DataError(str(path), line, "it is not UTF-8 text", "convert the file to UTF-8")
    return text


def lines(text: str) -> list[str]:
    """Cut at line feeds only: str.splitlines would also cut inside tokens that hold, say, U+2028."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def _content(path: Path) -> tuple[bytes, str | None]:
    try:
        return path.read_bytes(), None
    except FileNotFoundError:
        return b"", "there is no such file"
    except (OSError, ValueError) as error:
        return b"", f"it cannot be read ({type(error).__name__})"


def _decoded(content: bytes) -> tuple[str | None, int]:
    """The text, or None and the line of the first bad byte.

    A UnicodeDecodeError carries the whole content, so it must not become the context of what is raised.
    """
    try:
        return content.decode("utf-8-sig"), 0
    except UnicodeDecodeError as error:
        return None, content.count(b"\n", 0, error.start) + 1
