"""sha256 of the files and directories of corpora, remembered while sizes and times of change stay the same.

What is remembered is for the account alone, and says neither the name of a file nor the digest of one note: a
directory has one digest, and paths and stamps are keyed by a random salt.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from orchestrator.contracts.files import sha256_of, write_atomically

_NAME = "corpus-digests.json"


class CorpusDigests:
    """Kept in `directory`; None: for this object's life only. `hear`: as `sha256_of` takes it."""

    def __init__(self, directory: Path | None, hear: Callable[[int], None] | None = None) -> None:
        self._hear = hear
        self._file = None if directory is None else directory / _NAME
        self._changed = False
        self._salt, self._known = _read(self._file)

    def of(self, path: Path, ignored: str = "") -> str | None:
        """Return that of a file, or of the visible files below a directory with their places in it, but those
        that match `ignored`; None where nothing is there. Raises OSError, which names `path` alone."""
        try:
            return self._of(path, ignored)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None

    def _of(self, path: Path, ignored: str) -> str | None:
        files = _files(path, ignored)
        if not files:
            return None
        key, stamp, kept = self._kept(path, ignored, files)
        if kept is not None:
            return kept
        digests = [(relative, sha256_of(file, self._hear)) for relative, file in files]
        digest = digests[0][1] if path.is_file() else digest_of(digests)
        self._known[key] = [stamp, digest]
        self._changed = True
        return digest

    def unread(self, path: Path, ignored: str = "") -> int:
        """Return how many bytes `of` would read; 0 where it remembers the digest or nothing is there."""
        try:
            files = _files(path, ignored)
            if not files or self._kept(path, ignored, files)[2] is not None:
                return 0
            return sum(file.stat().st_size for _, file in files)
        except OSError:
            return 0  # `of` says why

    def _kept(
        self, path: Path, ignored: str, files: Iterable[tuple[str, Path]]
    ) -> tuple[str, str, str | None]:
        """Return key and stamp of these files, and their digest if it is remembered."""
        states = [(relative, file.stat()) for relative, file in files]
        key = self._keyed(str(path.resolve()), ignored)
        stamp = self._keyed(*(f"{relative} {s.st_size} {s.st_mtime_ns}" for relative, s in states))
        kept = self._known.get(key)
        return key, stamp, str(kept[-1]) if isinstance(kept, list) and kept[:-1] == [stamp] else None

    def _keyed(self, *words: str) -> str:
        content = json.dumps(words).encode()
        return hmac.new(self._salt.encode(), content, hashlib.sha256).hexdigest()

    def save(self) -> None:
        """Write the digests. If nothing can be written, they are computed again the next time."""
        if not self._changed or self._file is None:
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps({"salt": self._salt, "known": self._known}))
        except OSError:
            return


def digest_of(parts: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()


def _read(file: Path | None) -> tuple[str, dict[str, object]]:
    try:
        cached = {} if file is None else json.loads(file.read_text(encoding="utf-8"))
        salt, digests = cached["salt"], cached["known"]
    except (OSError, ValueError, TypeError, KeyError):
        salt, digests = None, None
    if isinstance(salt, str) and isinstance(digests, dict):
        return salt, digests
    return secrets.token_hex(32), {}


def _files(path: Path, ignored: str) -> list[tuple[str, Path]]:
    if path.is_file():
        return [("", path)]
    files = []
    for file in sorted(path.rglob("*")) if path.is_dir() else []:
        relative = file.relative_to(path)
        hidden = any(part.startswith(".") for part in relative.parts)
        if file.is_file() and not hidden and not (ignored and relative.match(ignored)):
            files.append((relative.as_posix(), file))
    return files
